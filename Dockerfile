# One image for every role: `docker run reprise --help`.

FROM rust:1.95-slim-bookworm AS build
# the image has the toolchain; rust-toolchain.toml would fetch its components for development as well
ENV RUSTUP_TOOLCHAIN=1.95.0 CARGO_INCREMENTAL=0
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target \
    cargo build --release --locked --bin reprise && cp target/release/reprise /reprise

FROM node:22-bookworm-slim AS web
COPY scripts/fetch-web /fetch-web
RUN /fetch-web /web

FROM debian:bookworm-slim
# workers make films with ffmpeg; the certificates of mail servers are checked against the system's authorities
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends ffmpeg ca-certificates && rm -rf /var/lib/apt/lists/*
# mails become files here when no mail server is named, and blobs lie here when no bucket is
RUN useradd --system --uid 10001 --no-create-home reprise && install -d -o reprise -m 700 /data /data/blobs /data/scratch
COPY --from=web /web /usr/local/share/reprise/web
COPY --from=build /reprise /usr/local/bin/reprise
USER 10001
ENV REPRISE_DATA=/data
VOLUME /data
EXPOSE 3000
STOPSIGNAL SIGTERM
ENTRYPOINT ["reprise"]
CMD ["--help"]
