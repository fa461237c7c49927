# syntax=docker/dockerfile:1
# donut as a container:
#   docker build -t donut .
#   docker run --read-only -p 8317:8317 -v donut:/data -v ./donut.yaml:/etc/donut.yaml:ro donut serve --host 0.0.0.0 --config /etc/donut.yaml
# The root filesystem may be read-only: everything that donut writes goes to /data.

FROM python:3.12-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY routing routing
COPY providers providers
COPY proxy proxy
COPY config config
# An own environment, because it can be copied whole and leaves the build tools behind. Bytecode is written now: at run time nothing is.
RUN python -m venv /opt/donut \
    && python -m pip wheel --no-cache-dir --no-deps --wheel-dir /wheel . \
    && /opt/donut/bin/pip install --no-cache-dir "$(echo /wheel/*.whl)[postgres,redis]" \
    && /opt/donut/bin/python -m compileall -q /opt/donut/lib

FROM python:3.12-slim
COPY --from=build /opt/donut /opt/donut
# The directory exists in the image with the right owner, so that a fresh named volume takes both over.
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /data --shell /usr/sbin/nologin donut \
    && install --directory --owner=10001 --group=10001 /data
ENV PATH=/opt/donut/bin:$PATH \
    DONUT_DATA=/data \
    HOME=/data \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8317
# Python instead of curl: the slim image has no other HTTP client. It asks this process only, never an upstream.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8317/healthz', timeout=2)"]
ENTRYPOINT ["donut"]
# Every address, because a container's loopback reaches nobody. donut refuses such a bind without client keys, on purpose: run bare, the
# image says so and stops; give it a config with server.api_keys as above.
CMD ["serve", "--host", "0.0.0.0"]
