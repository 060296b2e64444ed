#include "gateway/external/external.h"

#include "common/http_client.h"
#include "common/http_tls.h"
#include "common/http_url.h"
#include "common/secret.h"
#include "gateway/external/health_poll.h"

#include <stdio.h>
#include <stdlib.h>

struct external {
    struct external_settings settings;
    struct secret *key;   /* NULL: none */
    struct http_tls *tls; /* NULL: http */
    struct enrich *enrich;
    struct health_poll *poll;
};

static int read_key(const struct options *options, struct external *external, char *error,
                    size_t error_size);
static bool is_set(const char *text);
static bool may_stand_in_header(struct span key);

int external_new(const struct options *options, struct external **out, char *error,
                 size_t error_size) {
    const char *url = options->external_service_url;
    struct external *external;
    int result;

    if (!is_set(url)) {
        return 0;
    }
    if (http_url_check("EXTERNAL_SERVICE_URL", url, error, error_size) != 0) {
        return -EINVAL;
    }
    external = calloc(1, sizeof(*external));
    if (external == NULL) {
        (void)snprintf(error, error_size, "EXTERNAL_SERVICE_URL: Not enough memory");
        return -ENOMEM;
    }
    external->settings =
        (struct external_settings){.url = url,
                                   .timeout_ms = (uint32_t)options->external_service_timeout,
                                   .retries = (unsigned)options->external_service_retries};
    result = read_key(options, external, error, error_size);
    if (result == 0 && http_url_is_https(url)) {
        result = http_tls_new("HTTP_CLIENT_CA_FILE", options->http_client_ca_file, &external->tls,
                              error, error_size);
        external->settings.tls = external->tls;
    }
    if (result != 0) {
        external_free(external);
        return result;
    }
    *out = external;
    return 0;
}

void external_free(struct external *external) {
    if (external != NULL) {
        health_poll_free(external->poll);
        enrich_free(external->enrich);
        http_tls_free(external->tls);
        secret_free(external->key);
        free(external);
    }
}

int external_start(struct external *external, struct event_base *base, struct stats *stats) {
    int result = health_poll_new(&external->settings, base, stats, &external->poll);

    return result != 0 ? result : enrich_new(&external->settings, base, stats, &external->enrich);
}

struct enrich *external_enrich(const struct external *external) {
    return external->enrich;
}

static int read_key(const struct options *options, struct external *external, char *error,
                    size_t error_size) {
    bool text = is_set(options->external_service_api_key);
    bool file = is_set(options->external_service_api_key_file);
    const char *name = file ? "EXTERNAL_SERVICE_API_KEY_FILE" : "EXTERNAL_SERVICE_API_KEY";
    int result = 0;

    if (text && file) {
        (void)snprintf(error, error_size,
                       "EXTERNAL_SERVICE_API_KEY: set only one of it and "
                       "EXTERNAL_SERVICE_API_KEY_FILE");
        return -EINVAL;
    }
    if (text) {
        result = secret_from_text(span_of(options->external_service_api_key), &external->key);
    } else if (file) {
        result = secret_from_file(options->external_service_api_key_file, &external->key);
    }
    if (result != 0) {
        (void)snprintf(error, error_size, "%s: %s", name, strerror(-result));
        return result;
    }
    if (external->key != NULL) {
        external->settings.key = secret_bytes(external->key);
        if (!may_stand_in_header(external->settings.key)) {
            (void)snprintf(error, error_size, "%s: is not 1 to %d printable characters", name,
                           HTTP_CLIENT_KEY_BYTES);
            return -EINVAL;
        }
    }
    return 0;
}

static bool is_set(const char *text) {
    return text != NULL && text[0] != '\0';
}

static bool may_stand_in_header(struct span key) {
    for (size_t i = 0; i < key.length; i++) {
        if (key.data[i] <= ' ' || key.data[i] > '~') {
            return false;
        }
    }
    return key.length <= HTTP_CLIENT_KEY_BYTES;
}
