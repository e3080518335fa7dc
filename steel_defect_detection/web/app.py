"""The application: a page, and the interface under it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from contextlib import asynccontextmanager
from importlib import resources
from importlib.metadata import version
from pathlib import PurePath
from time import perf_counter
from typing import Annotated, Any, get_args

from fastapi import FastAPI, Query, Request, Response, Security
from fastapi.exceptions import RequestValidationError
from fastapi.security import HTTPBearer
from starlette.exceptions import HTTPException

from steel_defect_detection import drawing
from steel_defect_detection.checkpoints import Header
from steel_defect_detection.predictors.predictor import Predictor
from steel_defect_detection.web import bodies
from steel_defect_detection.web.answers import (
    Answer,
    ClassAnswer,
    Health,
    ImageAnswer,
    LimitsAnswer,
    ModelAnswer,
    Refused,
)
from steel_defect_detection.web.bodies import Room, Upload
from steel_defect_detection.web.guards import Access, Guard
from steel_defect_detection.web.judging import Include, Job, Judge
from steel_defect_detection.web.limits import Limits
from steel_defect_detection.web.metrics import Metrics
from steel_defect_detection.web.queue import Queue
from steel_defect_detection.web.refusals import RefusedError, overloaded

_FILES = {
    "/": ("index.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
    "/results.js": ("results.js", "text/javascript"),
    "/saving.js": ("saving.js", "text/javascript"),
    "/tables.js": ("tables.js", "text/javascript"),
    "/texts.js": ("texts.js", "text/javascript"),
    "/texts.json": ("texts.json", "application/json"),
}
"""What the page consists of. Nothing else is read from the disk for anybody."""

_CHOICES = ", ".join(get_args(Include))
_REPEAT = "For several repeat it: include=mask&include=overlay"

_IMAGE = {"schema": {"type": "string", "format": "binary"}}

_REASONS = {
    400: "The request or its form is malformed, or has too many images.",
    401: "The token is missing or wrong.",
    403: "The request comes from a page of another site.",
    408: "The request took too long to arrive.",
    413: "Too many bytes.",
    415: "Neither a form nor an image.",
    421: "The server is called by a name that is not its own.",
    503: "Too much to do now; the header Retry-After says when to ask again.",
}


def create_app(
    predictor: Predictor,
    header: Header,
    *,
    limits: Limits | None = None,
    access: Access | None = None,
) -> FastAPI:
    """Make an application that judges images with one predictor.

    Args:
        predictor: What judges, from ``load_predictor``.
        header: Header of its model.
        limits: How much is taken on.
        access: Who may ask.

    Returns:
        The application, for an ASGI server that keeps it in one process.
    """
    access = access or Access()
    service = _Service(predictor, header, limits or Limits(), access)
    app = FastAPI(
        title="sdd-serve",
        summary="Finds, names and outlines surface defects on images of steel strip.",
        version=version("steel-defect-detection"),
        # These pages load scripts from another site.
        docs_url=None,
        redoc_url=None,
        # A redirection would be one more answer that no client expects.
        redirect_slashes=False,
        lifespan=service.lifespan,
    )
    app.add_middleware(Guard, access=access, limits=service.limits, metrics=service.metrics)
    _add_handlers(app)
    _add_predict(app, service)
    _add_model(app, service)
    _add_state(app, service)
    _add_page(app)
    return app


class _Service:
    """What all requests share."""

    def __init__(
        self, predictor: Predictor, header: Header, limits: Limits, access: Access
    ) -> None:
        self.predictor = predictor
        self.header = header
        self.limits = limits
        # The guard checks the token; this names it in the description of the interface.
        self.secured = [Security(HTTPBearer(auto_error=False))] if access.token else []
        self.metrics = Metrics()
        self.room = Room(limits.held_bytes)
        self.judge = Judge(predictor, max_pixels=limits.max_pixels, metrics=self.metrics)
        self.queue: Queue[Job, ImageAnswer] = Queue(
            self.judge.judge,
            threads=max((network.parallel for network in predictor.networks.values()), default=1),
            most=limits.queue,
        )
        self.metrics.watch(queue=lambda: len(self.queue), held=lambda: self.room.held)

    @asynccontextmanager
    async def lifespan(self, _: FastAPI) -> AsyncIterator[None]:
        """Finish what is under way before the end."""
        yield
        await asyncio.to_thread(self.queue.stop)

    @property
    def name(self) -> str:
        """Name of the model, without the folder it lies in."""
        origin = self.predictor.origin
        path = "model" if origin is None else origin.model.name
        return self.header.card.name or PurePath(path).stem

    @property
    def sha256(self) -> str:
        """Hash of the model."""
        origin = self.predictor.origin
        return "" if origin is None else origin.model.sha256

    async def answer(self, request: Request, include: frozenset[Include]) -> Answer:
        """Judge the images of a request.

        Raises:
            RefusedError: If it cannot be done, or not now.
        """
        with self.room.share() as share:
            uploads = await bodies.read(request, self.limits, share)
            found = await self._judged(request, uploads, include)
        return Answer(model=self.name, sha256=self.sha256, images=found)

    async def _judged(
        self, request: Request, uploads: list[Upload], include: frozenset[Include]
    ) -> list[ImageAnswer]:
        now = perf_counter()
        jobs = [Job(upload=upload, include=include, received=now) for upload in uploads]
        waiting = self.queue.add(jobs)
        gone = asyncio.ensure_future(_gone(request))
        answers = asyncio.gather(*map(asyncio.wrap_future, waiting))
        either: set[asyncio.Future[Any]] = {gone, answers}
        try:
            done, _ = await asyncio.wait(
                either,
                timeout=self.limits.timeout,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if answers in done:
                return list(answers.result())
            if gone in done:
                raise RefusedError(499, "gone", "whoever asked has hung up")
            msg = f"the images were not judged within {self.limits.timeout:g} seconds"
            raise overloaded(msg, self.queue.wait())
        finally:
            _forget(waiting)
            answers.cancel()
            gone.cancel()


async def _gone(request: Request) -> None:
    """Wait until whoever asked hangs up."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _forget(waiting: list[Future[ImageAnswer]]) -> None:
    """Take out of the line what nobody waits for any more."""
    for future in waiting:
        future.cancel()


def _refused(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What the description of the interface says of refusals."""
    return {
        status: {"model": Refused, "description": _REASONS[status]}
        for status in (400, 403, 421, *statuses, 503)
    }


def _add_predict(app: FastAPI, service: _Service) -> None:
    field = {
        "type": "object",
        "required": [bodies.FIELD],
        "properties": {
            bodies.FIELD: {
                "type": "array",
                "items": _IMAGE["schema"],
                "minItems": 1,
                "maxItems": service.limits.max_images,
            }
        },
        "additionalProperties": False,
    }
    kinds = ("png", "jpeg", "bmp", "tiff", "webp")
    content: dict[str, Any] = {"multipart/form-data": {"schema": field}}
    content |= {f"image/{kind}": _IMAGE for kind in kinds} | {"application/octet-stream": _IMAGE}
    responses = _refused(401, 408, 413, 415)
    responses[422] = {"model": Answer, "description": "None of the images could be judged."}

    @app.post(
        "/predict",
        summary="Judge one image or several",
        dependencies=service.secured,
        responses=responses,
        openapi_extra={"requestBody": {"required": True, "content": content}},
    )
    async def predict(
        request: Request,
        response: Response,
        include: Annotated[
            list[Include], Query(description="What to answer beside the numbers.")
        ] = ["outlines"],  # noqa: B006 -- FastAPI copies it
    ) -> Answer:
        """Judge the images of a form's fields `images`, or the one image that is the body.

        An image that cannot be judged has an `error` and the rest is judged. If none could be,
        the status is 422.
        """
        _refuse_unknown(request, "include")
        answer = await service.answer(request, frozenset(include))
        if all(image.error for image in answer.images):
            response.status_code = 422
        return answer


def _add_model(app: FastAPI, service: _Service) -> None:
    @app.get(
        "/model",
        summary="What judges the images",
        dependencies=service.secured,
        responses=_refused(401),
    )
    def model() -> ModelAnswer:
        """Name, classes, thresholds and card of the model, and the limits of the server."""
        header, predictor, limits = service.header, service.predictor, service.limits
        classes = [
            ClassAnswer(
                name=name,
                number=number,
                color="#{:02x}{:02x}{:02x}".format(*drawing.color(number)),
                is_defect=name != header.background,
            )
            for number, name in enumerate(header.classes, start=1)
        ]
        return ModelAnswer(
            name=service.name,
            sha256=service.sha256,
            architecture=header.architecture,
            version=version("steel-defect-detection"),
            classes=classes,
            outlines=header.architecture != "classifier",
            is_calibrated=predictor.is_calibrated,
            thresholds=predictor.thresholds.model_dump(mode="json"),
            card=header.card.model_dump(mode="json"),
            runtimes=predictor.runtimes,
            limits=LimitsAnswer(
                max_bytes=limits.max_bytes,
                max_pixels=limits.max_pixels,
                max_images=limits.max_images,
                queue=limits.queue,
                timeout=limits.timeout,
            ),
        )


def _add_state(app: FastAPI, service: _Service) -> None:
    unwell: dict[int | str, dict[str, Any]] = {
        503: {"model": Health, "description": "It is stopping, or judges nothing any more."}
    }

    @app.get("/health", summary="Whether images are judged", responses=_refused() | unwell)
    def health(response: Response) -> Health:
        """Say whether images are judged, without judging one."""
        queue = service.queue
        # Twice the time after which a request is given up.
        stuck = queue.is_stuck(2 * service.limits.timeout)
        response.status_code = 503 if queue.is_stopping or stuck else 200
        return Health(
            status="stopping" if queue.is_stopping else "stuck" if stuck else "ok",
            queue=len(queue),
        )

    text = {"content": {"text/plain": {"schema": {"type": "string"}}}}

    @app.get(
        "/metrics",
        summary="Counts and times for Prometheus",
        response_class=Response,
        dependencies=service.secured,
        responses={**_refused(401), 200: text},
    )
    def metrics() -> Response:
        """Requests by status, images by verdict, the queue, and seconds."""
        return Response(service.metrics.text(), media_type="text/plain; version=0.0.4")


def _add_page(app: FastAPI) -> None:
    folder = resources.files("steel_defect_detection.web") / "page"
    for path, (name, kind) in _FILES.items():
        content = (folder / name).read_bytes()
        app.get(path, include_in_schema=False)(_sender(content, kind))


def _sender(content: bytes, kind: str) -> Callable[[], Response]:
    def send() -> Response:
        return Response(content, media_type=kind)

    return send


def _add_handlers(app: FastAPI) -> None:
    """Let every refusal have the same shape."""

    def refused(_: Request, error: Exception) -> Response:
        assert isinstance(error, RefusedError)
        return error.response()

    app.add_exception_handler(RefusedError, refused)
    app.add_exception_handler(RequestValidationError, _wrong_parameter)
    app.add_exception_handler(HTTPException, _wrong_path)


def _refuse_unknown(request: Request, known: str) -> None:
    """Refuse parameters that would be passed over, such as misspelt ones."""
    unknown = next((name for name in request.query_params if name != known), None)
    if unknown is not None:
        msg = f"there is no parameter {unknown[:100]!a}. The only one is {known!r}: {_CHOICES}"
        raise RefusedError(400, "wrong_parameter", msg)


def _wrong_parameter(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    # No other parameter is checked.
    got = str(error.errors()[0]["input"])[:100]
    msg = f"include: expected one of {_CHOICES}, got {got!a}. {_REPEAT}"
    return RefusedError(400, "wrong_parameter", msg).response()


def _wrong_path(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    method, allowed = request.method[:20], (error.headers or {}).get("Allow", "another method")
    wrong = {
        404: ("not_found", "there is nothing at this path"),
        405: ("wrong_method", f"expected {allowed} here, got {method!a}"),
    }
    code, text = wrong.get(error.status_code, ("failed", "the request failed"))
    message = f"{text}. /openapi.json says what there is"
    return RefusedError(error.status_code, code, message, error.headers).response()
