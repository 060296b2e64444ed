#include "gateway/http/instances.h"

#include "common/clock.h"
#include "gateway/http/health.h"
#include "gateway/http/json_body.h"
#include "gateway/http/liveness.h"
#include "gateway/redis/redis_instances.h"

#include <stdlib.h>

struct load {
    uint64_t connections, authenticated;
};

/* A lost worker's gauges describe connections that are gone. */
static struct load load_of(const struct host_view *view) {
    struct load load = {0};
    uint64_t now_ns = clock_mono_ns();
    for (uint32_t i = 0; i < view->worker_count; i++) {
        if (liveness_worker(view->workers[i], now_ns)) {
            load.connections += stats_get(&view->workers[i]->stats, STAT_CONNECTIONS);
            load.authenticated += stats_get(&view->workers[i]->stats, STAT_AUTHENTICATED);
        }
    }
    return load;
}

static const char *status_of(const struct host_view *view) {
    return host_view_draining(view) ? "draining" : health_not_ready(view) ? "not_ready" : "ready";
}

char *instances_own(const struct host_view *view, const char *id, uint64_t capacity,
                    uint64_t *connections) {
    struct load load = load_of(view);
    struct json_body body;
    json_body_start(&body);
    json_body_text(&body, body.root, "instance", id);
    json_body_text(&body, body.root, "status", status_of(view));
    json_body_count(&body, body.root, "connections", load.connections);
    json_body_count(&body, body.root, "authenticated", load.authenticated);
    json_body_count(&body, body.root, "capacity", capacity);
    json_body_count(&body, body.root, "workers", view->worker_count);
    json_body_integer(&body, body.root, "timestamp", clock_wall_ms());
    char *text = body.failed ? NULL : cJSON_PrintUnformatted(body.root);
    cJSON_Delete(body.root);
    *connections = load.connections;
    return text;
}

static const cJSON *connections_of(const cJSON *instance) {
    return cJSON_GetObjectItemCaseSensitive(instance, "connections");
}

/* What others have written is theirs, or anybody's who can write there: only what looks like a host is shown. This host
 * knows itself better. */
static cJSON *read_other(const char *text, const char *own_id) {
    cJSON *other = cJSON_Parse(text);
    const cJSON *id = cJSON_GetObjectItemCaseSensitive(other, "instance");
    if (!cJSON_IsString(id) || !cJSON_IsNumber(connections_of(other)) ||
        strcmp(id->valuestring, own_id) == 0) {
        cJSON_Delete(other);
        return NULL;
    }
    return other;
}

/* Before the first one that has more connections. */
static void insert(cJSON *list, cJSON *instance) {
    const cJSON *other;
    int at = 0;
    cJSON_ArrayForEach(other, list) {
        if (connections_of(other)->valuedouble > connections_of(instance)->valuedouble) {
            break;
        }
        at++;
    }
    (void)cJSON_InsertItemInArray(list, at, instance);
}

static bool add_others(const struct server_context *context, cJSON *list) {
    const char *const *texts;
    unsigned count = 0;
    if (context->instances == NULL) {
        return true;
    }
    if (redis_instances_list(context->instances, &texts, &count) != 0) {
        return false;
    }
    for (unsigned i = 0; i < count; i++) {
        cJSON *other = read_other(texts[i], context->instance_id);
        if (other != NULL) {
            insert(list, other);
        }
    }
    return true;
}

void instances_answer(const struct server_context *context, struct http_response *response) {
    struct json_body body;
    uint64_t connections;
    char *text =
        instances_own(context->view, context->instance_id, context->capacity, &connections);
    cJSON *own = text != NULL ? cJSON_Parse(text) : NULL;
    json_body_start(&body);
    cJSON *list = json_body_array(&body, body.root, "instances");
    if (own != NULL && list != NULL) {
        insert(list, own);
        json_body_bool(&body, body.root, "complete", add_others(context, list));
    } else {
        cJSON_Delete(own);
        body.failed = true;
    }
    free(text);
    json_body_finish(&body, 200, response);
}
