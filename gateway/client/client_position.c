#include "gateway/client/client_position.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define NAME_BYTES  250 /* Kafka allows 249 */
#define EPOCH_BYTES 64

struct topic {
    char name[NAME_BYTES];
    int64_t *offsets; /* by partition; -1: none yet */
    size_t count;
};

struct client_position {
    bool known;
    char epoch[EPOCH_BYTES];
    struct topic *topics;
    size_t topic_count, partition_count;
};

static int read_topics(struct client_position *out, struct json_value topics);
static bool take_number(struct span *text, int64_t *out);

int client_position_new(struct client_position **out) {
    struct client_position *position = calloc(1, sizeof(*position));
    if (position == NULL) {
        return -ENOMEM;
    }
    *out = position;
    return 0;
}

void client_position_free(struct client_position *position) {
    if (position != NULL) {
        client_position_clear(position);
        free(position);
    }
}

void client_position_clear(struct client_position *position) {
    for (size_t i = 0; i < position->topic_count; i++) {
        free(position->topics[i].offsets);
    }
    free(position->topics);
    *position = (struct client_position){.known = false};
}

bool client_position_known(const struct client_position *position) {
    return position->known;
}

/* What stands between the quotes goes back as it came, so it must need no escape. */
static bool plain_text(struct span text, size_t size) {
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] <= 0x20 || text.data[i] >= 0x7f || text.data[i] == '\\') {
            return false;
        }
    }
    return text.length > 0 && text.length < size;
}

int client_position_set(struct client_position *position, struct json_value told) {
    struct client_position fresh = {.known = true};
    struct json_value epoch, topics;
    if (json_get(told, "epoch", &epoch) != 1 || epoch.type != JSON_STRING ||
        !plain_text(epoch.text, sizeof(fresh.epoch)) || json_get(told, "topics", &topics) != 1 ||
        topics.type != JSON_OBJECT) {
        return -EINVAL;
    }
    memcpy(fresh.epoch, epoch.text.data, epoch.text.length);
    int result = read_topics(&fresh, topics);
    if (result != 0) {
        client_position_clear(&fresh);
        return result;
    }
    client_position_clear(position);
    *position = fresh;
    return 0;
}

static struct topic *find_topic(const struct client_position *position, struct span name) {
    for (size_t i = 0; i < position->topic_count; i++) {
        if (span_is(name, position->topics[i].name)) {
            return &position->topics[i];
        }
    }
    return NULL;
}

/* Room for `count` partitions, the new ones with nothing yet. */
static int grow_topic(struct client_position *position, struct topic *topic, size_t count) {
    if (count <= topic->count) {
        return 0;
    }
    size_t more = count - topic->count;
    if (more > CLIENT_POSITION_MAX_PARTITIONS - position->partition_count) {
        return -EINVAL;
    }
    int64_t *offsets = realloc(topic->offsets, count * sizeof(*offsets));
    if (offsets == NULL) {
        return -ENOMEM;
    }
    for (size_t i = topic->count; i < count; i++) {
        offsets[i] = -1;
    }
    topic->offsets = offsets;
    topic->count = count;
    position->partition_count += more;
    return 0;
}

static int read_offsets(struct client_position *out, struct topic *topic, struct json_value list) {
    struct json_value element;
    size_t cursor = 0, partition = 0;
    while (json_next_element(list, &cursor, &element) == 1) {
        int64_t offset;
        struct span text = element.text;
        bool none = element.type == JSON_NUMBER && span_is(text, "-1");
        if (!none &&
            (element.type != JSON_NUMBER || !take_number(&text, &offset) || text.length > 0)) {
            return -EINVAL;
        }
        int result = grow_topic(out, topic, partition + 1);
        if (result != 0) {
            return result;
        }
        topic->offsets[partition++] = none ? -1 : offset;
    }
    return 0;
}

static int add_topic(struct client_position *out, struct span name, struct json_value list) {
    if (!plain_text(name, NAME_BYTES) || list.type != JSON_ARRAY || find_topic(out, name) != NULL ||
        out->topic_count == CLIENT_POSITION_MAX_TOPICS) {
        return -EINVAL;
    }
    struct topic *topics = realloc(out->topics, (out->topic_count + 1) * sizeof(*topics));
    if (topics == NULL) {
        return -ENOMEM;
    }
    out->topics = topics;
    struct topic *topic = &topics[out->topic_count++];
    *topic = (struct topic){.count = 0};
    memcpy(topic->name, name.data, name.length);
    return read_offsets(out, topic, list);
}

static int read_topics(struct client_position *out, struct json_value topics) {
    struct json_value list;
    struct span name;
    size_t cursor = 0;
    int result = 0;
    while (result == 0 && json_next_member(topics, &cursor, &name, &list) == 1) {
        result = add_topic(out, name, list);
    }
    return result;
}

/* Digits off the start of *text, as far as they go. */
static bool take_number(struct span *text, int64_t *out) {
    int64_t value = 0;
    size_t at = 0;
    for (; at < text->length && text->data[at] >= '0' && text->data[at] <= '9'; at++) {
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, text->data[at] - '0', &value)) {
            return false;
        }
    }
    if (at == 0) {
        return false;
    }
    *out = value;
    *text = (struct span){text->data + at, text->length - at};
    return true;
}

/* The number behind the last colon, which goes with it. */
static bool strip_number(struct span *text, int64_t *out) {
    const char *colon = text->length == 0 ? NULL : memrchr(text->data, ':', text->length);
    if (colon == NULL) {
        return false;
    }
    struct span digits = {colon + 1, text->length - (size_t)(colon + 1 - text->data)};
    text->length = (size_t)(colon - text->data);
    return take_number(&digits, out) && digits.length == 0;
}

void client_position_move(struct client_position *position, struct span id) {
    int64_t partition, offset;
    if (!strip_number(&id, &offset) || !strip_number(&id, &partition) ||
        partition >= (int64_t)CLIENT_POSITION_MAX_PARTITIONS) {
        return;
    }
    struct topic *topic = find_topic(position, id);
    if (topic == NULL || grow_topic(position, topic, (size_t)partition + 1) != 0) {
        return; /* at worst a little is sent twice */
    }
    if (offset > topic->offsets[partition]) {
        topic->offsets[partition] = offset;
    }
}

static void put_topic(FILE *out, const struct topic *topic) {
    fprintf(out, "\"%s\":[", topic->name);
    for (size_t i = 0; i < topic->count; i++) {
        fprintf(out, "%s%" PRId64, i == 0 ? "" : ",", topic->offsets[i]);
    }
    fputc(']', out);
}

int client_position_text(const struct client_position *position, char **out) {
    char *text = NULL;
    size_t size = 0;
    if (!position->known) {
        return -ENOENT;
    }
    FILE *stream = open_memstream(&text, &size);
    if (stream == NULL) {
        return -ENOMEM;
    }
    fprintf(stream, "{\"epoch\":\"%s\",\"topics\":{", position->epoch);
    for (size_t i = 0; i < position->topic_count; i++) {
        fputs(i == 0 ? "" : ",", stream);
        put_topic(stream, &position->topics[i]);
    }
    fputs("}}", stream);
    if (fclose(stream) != 0) {
        free(text);
        return -ENOMEM;
    }
    *out = text;
    return 0;
}
