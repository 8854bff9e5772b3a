FROM python:3.11-slim-bookworm

ENV PYTHONUNBUFFERED=1

WORKDIR /app

COPY requirements/main.txt requirements.txt
RUN pip install --require-hashes --no-deps --no-cache-dir --only-binary :all: --requirement requirements.txt \
    && useradd --no-log-init --create-home --uid 1000 sekoiaio-runtime

# The image is read-only for its user, so Python is not to look for a place to keep bytecode.
ENV PYTHONDONTWRITEBYTECODE=1

COPY httpkit httpkit
COPY testhttp_modules testhttp_modules
# Compiled once here, and not at each start.
RUN python -m compileall -q httpkit testhttp_modules
COPY main.py manifest.json action_*.json connector_*.json trigger_*.json ./

# The platform knows the user by this name.
# hadolint ignore=DL3066
USER sekoiaio-runtime

ENTRYPOINT ["python", "./main.py"]
