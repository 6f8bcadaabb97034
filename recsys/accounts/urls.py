from django.urls import path

from recsys.accounts import views

urlpatterns = [
    path("profile/", views.edit_profile, name="profile-edit"),
]
