from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from orchestration.errors import Invalid
from orchestration.sentences import said
from orchestration.services.mail import choose

if TYPE_CHECKING:
    from django.http import HttpResponse

    from frontend_app.http import Request


@require_POST
def mail_choose(request: Request) -> HttpResponse:
    try:
        choose(user=request.user, mail_on=request.POST.get("mail_on", ""))
    except Invalid as exc:
        messages.error(request, said(exc))
    else:
        messages.success(request, _("Your choice is saved."))
    return redirect(f"{reverse('token-list')}#mail")
