from django.urls import path

from recsys.recommend import views

urlpatterns = [
    path("for-you/", views.for_you, name="for-you"),
    path("trending/", views.trending, name="trending"),
    path("counts/", views.counts, name="item-counts"),
    path("<int:pk>/", views.item, name="item"),
]
