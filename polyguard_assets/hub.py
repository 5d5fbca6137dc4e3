"""The Hugging Face hub as a resource: who we are there, and clear errors for whatever it refuses."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import dagster as dg
import httpx

from polyguard_env.errors import PolyGuardError

if TYPE_CHECKING:
    from huggingface_hub import HfApi

ENDPOINT_VARIABLE, TOKEN_VARIABLE = "HF_ENDPOINT", "HF_TOKEN"
ENDPOINT = "https://huggingface.co"
TOKEN_FIX = "set it to a token that may write (huggingface.co/settings/tokens); nothing was sent to the hub"
REFUSED_FIX = "check the token's rights for this namespace and the account's plan"


class Hub(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Where Spaces, jobs and results live. The token is read from the environment, so no run configuration shows it.

    Attributes:
        endpoint: base URL of the hub; HF_ENDPOINT or the public hub when empty.
        namespace: user or organisation that owns what is made; the token's owner when empty.
        build_timeout: seconds a Space may take from upload to running.
        poll_seconds: between two looks at a build or a job.
        answer_timeout: seconds a running Space may take until it answers as healthy.
    """

    endpoint: str = ""
    namespace: str = ""
    build_timeout: float = 1800.0
    poll_seconds: float = 5.0
    answer_timeout: float = 180.0

    @property
    def url(self) -> str:
        """Base URL of the hub."""
        return (self.endpoint or os.environ.get(ENDPOINT_VARIABLE) or ENDPOINT).rstrip("/")

    @staticmethod
    def token() -> str:
        """The hub token.

        Raises:
            PolyGuardError: none is configured.
        """
        token = os.environ.get(TOKEN_VARIABLE, "").strip()
        if not token:
            raise PolyGuardError(TOKEN_VARIABLE, None, f"not configured: {TOKEN_FIX}")
        return token

    def api(self) -> HfApi:
        """A client of the hub with the token.

        Raises:
            PolyGuardError: no token is configured.
        """
        from huggingface_hub import HfApi

        return HfApi(endpoint=self.url, token=self.token(), library_name="polyguard")

    def owner(self, api: HfApi) -> str:
        """The namespace that owns what is made.

        Raises:
            PolyGuardError: the hub cannot be reached or does not know the token.
        """
        with hub_errors(self.url):
            return self.namespace or str(api.whoami()["name"])


@contextmanager
def hub_errors(endpoint: str) -> Iterator[None]:
    """Turn what the hub client raises into one error with a fix; the token is in none of them.

    Raises:
        PolyGuardError: the hub cannot be reached, refuses the token, or refuses the request.
    """
    from huggingface_hub.errors import HfHubHTTPError

    try:
        yield
    except HfHubHTTPError as error:
        status = error.response.status_code
        said = (error.server_message or str(error).splitlines()[0])[:200]
        if status in (401, 403):
            fix = TOKEN_FIX if status == 401 else REFUSED_FIX
            raise PolyGuardError(TOKEN_VARIABLE, f"(hidden), HTTP {status}", f"{fix} ({said})") from error
        raise PolyGuardError("hub", f"HTTP {status}", f"{REFUSED_FIX} ({said})") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        fix = f"check the network or {ENDPOINT_VARIABLE} ({type(error).__name__})"
        raise PolyGuardError("hub.endpoint", endpoint, fix) from error
