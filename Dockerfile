# The code and its requirements. Which process it is, and which services it uses, is said when it runs (compose.yaml).
FROM python:3.12-slim

RUN apt-get update \
    && apt-get install -y --no-install-recommends libgomp1 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --create-home tributary

WORKDIR /srv/tributary
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt
COPY . .

ENV DJANGO_SETTINGS_MODULE=recsys.settings.prod \
    PYTHONUNBUFFERED=1 \
    TRIBUTARY_DATA_DIR=/home/tributary/data
# Static files under names made of their content. It needs no service, only settings that load.
RUN SECRET_KEY=build ALLOWED_HOSTS=build DATABASE_URL=postgres://build/build REDIS_URL=redis://build \
    python manage.py collectstatic --no-input
USER tributary
EXPOSE 8000
ENTRYPOINT ["python", "manage.py"]
CMD ["web", "--host=0.0.0.0"]
