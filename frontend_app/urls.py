from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import LoginView, LogoutView
from django.urls import path
from django.views.generic import RedirectView

from frontend_app.views import (
    attempts,
    bulk,
    deliveries,
    files,
    jobs,
    mail,
    new_job,
    pipelines,
    retention,
    tokens,
    uploads,
    webhooks,
    workspaces,
)

# Browsers ask for it on pages that name no icon, such as the admin's.
favicon = login_not_required(RedirectView.as_view(url=f"{settings.STATIC_URL}frontend_app/favicon.svg"))

urlpatterns = [
    path("favicon.ico", favicon),
    path("", new_job.job_new, name="home"),
    path(
        "login/",
        LoginView.as_view(template_name="frontend_app/login.html", redirect_authenticated_user=True),
        name="login",
    ),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("workspace/", workspaces.workspace_choose, name="workspace-choose"),
    path("jobs/", jobs.job_list, name="job-list"),
    path("jobs/live/", jobs.job_list_live, name="job-list-live"),
    path("jobs/new/", new_job.job_new, name="job-new"),
    path("jobs/new/params/", new_job.job_new_params, name="job-new-params"),
    path("jobs/all/<slug:action>/", bulk.bulk_preview, name="bulk-preview"),
    path("jobs/all/<slug:action>/begin/", bulk.bulk_begin, name="bulk-begin"),
    path("bulk/<uuid:bulk_id>/", bulk.bulk_detail, name="bulk-detail"),
    path("bulk/<uuid:bulk_id>/live/", bulk.bulk_live, name="bulk-live"),
    path("bulk/<uuid:bulk_id>/stop/", bulk.bulk_stop, name="bulk-stop"),
    path("jobs/<uuid:job_id>/", jobs.job_detail, name="job-detail"),
    path("jobs/<uuid:job_id>/live/", jobs.job_live, name="job-live"),
    path("jobs/<uuid:job_id>/cancel/", jobs.job_cancel, name="job-cancel"),
    path("jobs/<uuid:job_id>/retry/", jobs.job_retry, name="job-retry"),
    path("jobs/<uuid:job_id>/rerun/", jobs.job_rerun, name="job-rerun"),
    path("attempts/<uuid:attempt_id>/", attempts.attempt_detail, name="attempt-detail"),
    path("attempts/<uuid:attempt_id>/log/", attempts.attempt_log, name="attempt-log"),
    path("attempts/<uuid:attempt_id>/log/download/", attempts.attempt_log_download, name="attempt-log-download"),
    path("files/", files.file_list, name="file-list"),
    path("files/deleted/", retention.file_deleted, name="file-deleted"),
    path("files/usage/", retention.usage, name="usage"),
    path("files/together/<slug:do>/", retention.files_together, name="files-together"),
    path("files/<uuid:file_id>/", files.file_detail, name="file-detail"),
    path("files/<uuid:file_id>/content", files.file_content, name="file-content"),
    path("files/<uuid:file_id>/preview", files.file_preview, name="file-preview"),
    path("files/<uuid:file_id>/delete/", files.file_delete, name="file-delete"),
    path("files/<uuid:file_id>/undelete/", retention.file_undelete, name="file-undelete"),
    path("files/<uuid:file_id>/extend/", retention.file_extend, name="file-extend"),
    path("files/<uuid:file_id>/hold/", retention.file_hold, name="file-hold"),
    path("files/<uuid:file_id>/release/", retention.file_release, name="file-release"),
    path("files/<uuid:file_id>/receipt/", retention.file_receipt, name="file-receipt"),
    path("mail/", mail.mail_choose, name="mail-choose"),
    path("pipelines/", pipelines.pipeline_list, name="pipeline-list"),
    path("pipelines/<slug:name>/", pipelines.pipeline_detail, name="pipeline-detail"),
    path("upload-ticket", uploads.upload_ticket, name="upload-ticket"),
    path("webhooks/", webhooks.webhook_list, name="webhook-list"),
    path("webhooks/<uuid:webhook_id>/", webhooks.webhook_detail, name="webhook-detail"),
    path("webhooks/<uuid:webhook_id>/edit/", webhooks.webhook_edit, name="webhook-edit"),
    path("webhooks/<uuid:webhook_id>/switch/", webhooks.webhook_switch, name="webhook-switch"),
    path("webhooks/<uuid:webhook_id>/rotate/", webhooks.webhook_rotate, name="webhook-rotate"),
    path("webhooks/<uuid:webhook_id>/test/", webhooks.webhook_test, name="webhook-test"),
    path("webhooks/<uuid:webhook_id>/replay/", webhooks.webhook_replay, name="webhook-replay"),
    path("webhooks/<uuid:webhook_id>/delete/", webhooks.webhook_delete, name="webhook-delete"),
    path(
        "webhooks/<uuid:webhook_id>/deliveries/<uuid:delivery_id>/", deliveries.delivery_detail, name="delivery-detail"
    ),
    path(
        "webhooks/<uuid:webhook_id>/deliveries/<uuid:delivery_id>/replay/",
        deliveries.delivery_replay,
        name="delivery-replay",
    ),
    path("tokens/", tokens.token_list, name="token-list"),
    path("tokens/<uuid:token_id>/revoke/", tokens.token_revoke, name="token-revoke"),
]
