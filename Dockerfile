# Two stages: the packages are installed with their hashes checked, then copied without any build tool.
FROM python:3.12-slim AS build
WORKDIR /src
RUN python -m venv /opt/cbm
COPY requirements-runtime.lock ./
RUN /opt/cbm/bin/pip install --no-cache-dir --require-hashes -r requirements-runtime.lock
COPY pyproject.toml README.md ./
COPY schemas schemas
COPY broker broker
COPY adapters adapters
RUN /opt/cbm/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.12-slim
LABEL org.opencontainers.image.title="cbm" \
      org.opencontainers.image.description="Coordinated border management message broker"
COPY --from=build /opt/cbm /opt/cbm
RUN useradd --uid 10001 --no-create-home --home-dir /var/lib/cbm cbm \
    && install -d -o 10001 -g 10001 -m 700 /var/lib/cbm \
    && install -d -o 10001 -g 10001 -m 755 /run/cbm
ENV PATH=/opt/cbm/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    CBM_CONFIG=/etc/cbm/cbm.toml CBM_NODE__STATE_DIR=/var/lib/cbm
USER 10001:10001
VOLUME /var/lib/cbm
STOPSIGNAL SIGTERM
ENTRYPOINT ["cbm"]
CMD ["serve"]
