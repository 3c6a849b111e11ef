# agentsync in a container: the service, or one `pull`. docs/configuration.md explains the configuration.
#
# /config/config.toml says `path = "/targets/claude"` and `create = true` for each target, and under [health]
# `listen = "127.0.0.1:9417"`, which is where the health check asks. Nothing but the volumes is written:
#
#   docker run --detach --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges \
#     --volume ./config:/config:ro --volume agentsync-state:/state --volume agentsync-cache:/cache \
#     --volume ~/.claude/agents:/targets/claude IMAGE
#
# With `pull` after IMAGE it pulls once and ends. A directory of the machine must let user 10001 write, or the container
# runs as its owner: `--user $(id -u):$(id -g)`, which then must own the volumes too.

FROM python:3.13-slim AS build
WORKDIR /build
COPY pyproject.toml README.md LICENSE ./
COPY container container
COPY src src
COPY docs docs
# `--build-arg VERSION=0.2.0` names the version, which git knows and the build context does not. Each file that is installed
# has a hash; `make lock` renews them.
ARG VERSION=0.0.0
RUN export SETUPTOOLS_SCM_PRETEND_VERSION_FOR_AGENTSYNC="$VERSION" PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 \
    && python -m venv /build/tools \
    && /build/tools/bin/pip install --require-hashes --requirement container/build.txt \
    && /build/tools/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /build/wheels . \
    && python -m venv --without-pip /opt/agentsync \
    && pip --python /opt/agentsync/bin/python install --require-hashes --requirement container/runtime.txt \
    && pip --python /opt/agentsync/bin/python install --no-deps /build/wheels/*.whl

FROM python:3.13-slim
# Versions of Debian's packages change with its security updates, and those are wanted. tini is process 1: git leaves
# helpers behind when it is killed at its deadline, and somebody has to bury them.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates git openssh-client tini \
    && rm -rf /var/lib/apt/lists/*
RUN useradd --uid 10001 --create-home agentsync \
    && install --directory --owner agentsync --group agentsync /config /state /cache /targets
COPY --from=build /opt/agentsync /opt/agentsync
ENV PATH=/opt/agentsync/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    CONFIGURATION_DIRECTORY=/config \
    STATE_DIRECTORY=/state \
    CACHE_DIRECTORY=/cache
USER 10001:10001
WORKDIR /home/agentsync
VOLUME ["/state", "/cache", "/targets"]
HEALTHCHECK --interval=60s --timeout=10s --start-period=120s CMD ["agentsync", "health"]
ENTRYPOINT ["tini", "--", "agentsync"]
CMD ["daemon"]
