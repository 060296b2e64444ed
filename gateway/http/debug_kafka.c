#include "gateway/http/debug_kafka.h"

#include "common/clock.h"
#include "gateway/http/json_body.h"
#include "gateway/http/lag.h"
#include "gateway/http/liveness.h"

static void add_partition(struct json_body *body, cJSON *partitions,
                          const struct positions *positions, uint32_t index);

void debug_kafka_answer(const struct server_context *context, struct http_response *response) {
    const struct host_view *view = context->view;
    bool live = liveness_ingest(view, clock_mono_ns());
    struct json_body body;
    json_body_start(&body);
    json_body_bool(&body, body.root, "kafka", live && liveness_ingest_flag(view, INGEST_KAFKA_UP));
    json_body_bool(&body, body.root, "caughtUp", liveness_ingest_flag(view, INGEST_CAUGHT_UP));
    json_body_bool(&body, body.root, "paced", live && liveness_ingest_flag(view, INGEST_PACED));
    cJSON *partitions = json_body_array(&body, body.root, "partitions");
    uint32_t count = positions_count(view->segment.positions);
    for (uint32_t i = 0; i < count; i++) {
        add_partition(&body, partitions, view->segment.positions, i);
    }
    json_body_finish(&body, 200, response);
}

static void add_offset(struct json_body *body, cJSON *parent, const char *name, uint64_t offset) {
    if (offset == POSITION_UNKNOWN) {
        json_body_null(body, parent, name);
    } else {
        json_body_count(body, parent, name, offset);
    }
}

static const char *state_name(uint32_t state) {
    static const char *const names[] = {
        [POSITION_IDLE] = "idle", [POSITION_ASSIGNED] = "assigned", [POSITION_GONE] = "gone"};
    return state < ARRAY_LENGTH(names) ? names[state] : "unknown";
}

static void add_partition(struct json_body *body, cJSON *partitions,
                          const struct positions *positions, uint32_t index) {
    const struct position *entry = &positions->partitions[index];
    struct span name = positions_topic_name(positions, index);
    char topic[POSITIONS_TOPIC_MAX_BYTES + 1];
    memcpy(topic, name.data, name.length);
    topic[name.length] = '\0';

    uint64_t lag = POSITION_UNKNOWN;
    (void)lag_of_partition(entry, &lag);
    cJSON *partition = json_body_object(body, partitions, NULL);
    json_body_text(body, partition, "topic", topic);
    json_body_integer(body, partition, "partition", entry->number);
    add_offset(body, partition, "position", load_relaxed(&entry->next));
    add_offset(body, partition, "liveFrom", load_relaxed(&entry->live_from));
    add_offset(body, partition, "wholeFrom", load_relaxed(&entry->whole_from));
    add_offset(body, partition, "highWatermark", load_relaxed(&entry->high_watermark));
    add_offset(body, partition, "lag", lag);
    json_body_count(body, partition, "errors", load_relaxed(&entry->errors));
    json_body_count(body, partition, "gaps", load_relaxed(&entry->gaps));
    json_body_count(body, partition, "restarts", load_relaxed(&entry->restarts));
    json_body_text(body, partition, "state", state_name(load_relaxed(&entry->state)));
}
