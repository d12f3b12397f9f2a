# syntax=docker/dockerfile:1

# An image with the command `kinesis-sql` and the certificates of public authorities.
#
#   docker build --tag kinesis-sql .
#   docker run --rm kinesis-sql --embedded -c "SELECT 1"

# The same Debian as below, so that the binary finds the C library that it was built with.
FROM rust:1.95-slim-bookworm AS build
WORKDIR /source
COPY . .
# Further features of crates/kinesis-sql, separated by commas, such as "otlp,gcp".
ARG FEATURES=""
# Registry and target stay in caches of the builder, so the binary is copied out of them.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/source/target \
    cargo build --release --locked --package kinesis-sql --features "$FEATURES" \
    && cp target/release/kinesis-sql /usr/local/bin/kinesis-sql \
    && mkdir --parents /var/lib/kinesis-sql

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /usr/local/bin/kinesis-sql /usr/local/bin/kinesis-sql
# A folder for checkpoints. A volume that is mounted here for the first time takes over its owner.
COPY --from=build --chown=65532:65532 /var/lib/kinesis-sql /var/lib/kinesis-sql
# As a number, so that Kubernetes can tell that it is not root (runAsNonRoot).
USER 65532:65532
WORKDIR /var/lib/kinesis-sql
# Without a shell in between, which would not pass SIGTERM on.
ENTRYPOINT ["/usr/local/bin/kinesis-sql"]
