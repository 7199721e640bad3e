# syntax=docker/dockerfile:1

# The same command as on a developer's machine: web UI and server in one binary.
FROM rust:1-bookworm AS build
WORKDIR /src
COPY . .
# There is no repository in here to ask, so `bellwether --version` needs to be told.
ARG BELLWETHER_COMMIT=unknown
ARG BELLWETHER_BUILD_DATE=unknown
# The caches outlive the build; the binary has to be taken out of them in the same step.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo xtask build \
    && install -D -m 0755 target/release/bellwether /out/bellwether \
    && install -d -m 0750 /out/data

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --user-group --no-create-home --home-dir /data --shell /usr/sbin/nologin bellwether
COPY --from=build /out/bellwether /usr/local/bin/bellwether
COPY --from=build --chown=10001:10001 /out/data /data
COPY config /etc/bellwether

# Inside a container the listeners must take what is forwarded to them; outside, loopback is the default.
ENV BELLWETHER_HTTP__LISTEN=0.0.0.0:8080 \
    BELLWETHER_STATSD__UDP='["0.0.0.0:8125"]' \
    BELLWETHER_SERVER__DATA_DIR=/data
USER 10001:10001
VOLUME /data
EXPOSE 8080/tcp 8125/udp
# Drains within its own bound when the container is stopped.
STOPSIGNAL SIGTERM
# The start-up replay of a large store takes a while, and it is not ready before.
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --retries=3 \
    CMD ["/usr/local/bin/bellwether", "health", "--url", "http://127.0.0.1:8080/-/ready"]
ENTRYPOINT ["/usr/local/bin/bellwether"]
CMD ["serve", "--config", "/etc/bellwether/bellwether.toml"]
