from django.contrib.admin.apps import AdminConfig


class TributaryAdminConfig(AdminConfig):
    """Django's admin with the site of `admin.py` in place of the default one."""

    default_site = "recsys.services.admin.TributaryAdminSite"
