from django.urls import path

from recsys.events import views

urlpatterns = [
    path("", views.record_event, name="record-event"),
]
