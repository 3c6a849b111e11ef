# agentsync in a container: `docker run` pulls once. docs/configuration.md explains the configuration, and what to mount
# stands at the end.

FROM python:3.13-slim AS build
WORKDIR /build
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY src src
RUN python -m venv /opt/agentsync \
    && /opt/agentsync/bin/pip install --no-cache-dir --disable-pip-version-check --constraint constraints.txt .

FROM python:3.13-slim
# Versions of Debian's packages change with its security updates, and those are wanted.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates git openssh-client \
    && rm -rf /var/lib/apt/lists/*
RUN useradd --uid 10001 --create-home agentsync \
    && install --directory --owner agentsync --group agentsync /config /state /cache /targets
COPY --from=build /opt/agentsync /opt/agentsync
ENV PATH=/opt/agentsync/bin:$PATH \
    CONFIGURATION_DIRECTORY=/config \
    STATE_DIRECTORY=/state \
    CACHE_DIRECTORY=/cache
USER 10001
WORKDIR /home/agentsync

# /config/config.toml says `path = "/targets/claude"` and `create = true` for each target. Nothing else is written, so
# the rest may be read-only:
#   docker run --rm --read-only --volume ./config:/config:ro --volume agentsync-state:/state \
#     --volume agentsync-cache:/cache --volume ~/.claude/agents:/targets/claude IMAGE
VOLUME ["/state", "/cache", "/targets"]
ENTRYPOINT ["agentsync"]
CMD ["pull"]
