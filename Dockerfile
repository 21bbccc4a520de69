# The image for those with a container engine: docker build -t bongsu/bongsu .
# `make image` packs the same files without one. Both are what scripts/image-root puts together.
FROM rust:1.95.0-bookworm AS build
WORKDIR /src
COPY . .
# The lists of packages are what scripts/image-root fetches from.
RUN apt-get update && scripts/build-packages
RUN cargo build --locked --release -p bongsu && scripts/image-root target/release/bongsu /image

FROM scratch
COPY --from=build /image /
USER 10001:10001
WORKDIR /var/lib/bongsu
VOLUME /var/lib/bongsu
EXPOSE 8186 8189
ENTRYPOINT ["/usr/bin/bongsu"]
