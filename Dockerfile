# One image for every role: `docker run reprise --help`.

FROM rust:1.95-slim-bookworm AS build
# the image has the toolchain; rust-toolchain.toml would fetch its components for development as well
ENV RUSTUP_TOOLCHAIN=1.95.0 CARGO_INCREMENTAL=0
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target \
    cargo build --release --locked --bin reprise && cp target/release/reprise /reprise

FROM debian:bookworm-slim
# mails become files here when no mail server is named
RUN useradd --system --uid 10001 --no-create-home reprise && install -d -o reprise -m 700 /data
COPY --from=build /reprise /usr/local/bin/reprise
USER 10001
ENV REPRISE_DATA=/data
VOLUME /data
EXPOSE 3000
STOPSIGNAL SIGTERM
ENTRYPOINT ["reprise"]
CMD ["--help"]
