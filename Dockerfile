# A small image without a shell: the program, the libraries that it is linked with, and the authorities that it trusts.
#
#   docker build --tag causeway:0.1.0 .
#
# A machine without that registry says which image has Rust's toolchain or apt-get: --build-arg BUILDER=...
ARG BUILDER=docker.io/library/rust:1.95.0-bookworm
FROM ${BUILDER} AS builder
RUN apt-get update && apt-get install --yes --no-install-recommends \
    ca-certificates g++ libssl-dev make pkg-config zlib1g-dev
WORKDIR /causeway
COPY . .
# Lines of the source are three quarters of the program; what a panic says names its own.
RUN cargo build --release --locked --bin causeway && strip --strip-debug target/release/causeway
# What the loader would load, and the loader itself, where they are expected.
RUN mkdir --parents /image/usr/bin /image/etc/ssl/certs /image/var/lib/causeway/store \
    && cp target/release/causeway /image/usr/bin/ \
    && ldd target/release/causeway | grep --only-matching '/[^ ]*' | xargs cp --dereference --parents --target-directory /image \
    && cp /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/ \
    && chown --recursive 65532:65532 /image/var/lib/causeway

FROM scratch
COPY --from=builder /image /
# OpenSSL, which Kafka's client is linked with, looks elsewhere by itself.
ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/usr/bin/causeway"]
CMD ["serve", "--config", "/etc/causeway/causeway.toml"]
