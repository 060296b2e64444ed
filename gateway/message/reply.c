#include "gateway/message/reply.h"

#include "common/clock.h"
#include "gateway/connection/conn.h"
#include "gateway/message/message.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#define TEXT_FIRST_BYTES 4096
#define TEXT_MOST_BYTES  16777216 /* 10,000 rooms of 128 bytes are 1.3 MB */
#define ID_BYTES         48

static struct {
    char *bytes;
    size_t size;
} text;

static cJSON *error_data(enum error_code code, const char *message);
static bool print(const cJSON *envelope);
static bool grow(void);
static void next_id(char id[ID_BYTES]);
static uint64_t random_prefix(void);

bool reply_build(const char *type, cJSON *data, const char *ref, struct span *out) {
    cJSON *envelope = cJSON_CreateObject();
    char id[ID_BYTES];
    bool done;

    next_id(id);
    done = data != NULL && cJSON_AddStringToObject(envelope, "id", id) != NULL &&
           cJSON_AddStringToObject(envelope, "type", type) != NULL &&
           reply_add_integer(envelope, "timestamp", clock_wall_ms()) &&
           (ref == NULL || cJSON_AddStringToObject(envelope, "ref", ref) != NULL);
    if (done && cJSON_AddItemToObject(envelope, "data", data)) {
        data = NULL;
    } else {
        done = false;
    }
    done = done && print(envelope);
    if (done) {
        *out = span_of(text.bytes);
    }
    cJSON_Delete(data);
    cJSON_Delete(envelope);
    return done;
}

void reply_send(struct worker *worker, struct conn *conn, const char *type, cJSON *data,
                const char *ref) {
    struct span built;

    if (reply_build(type, data, ref, &built)) {
        conn_send_text(worker, conn, built);
    } else {
        conn_close(worker, conn, CLOSE_SERVER_ERROR, "Out of memory");
    }
}

void reply_auth_failed(struct worker *worker, struct conn *conn, enum error_code code,
                       const char *ref) {
    cJSON *data = cJSON_CreateObject();

    data =
        reply_data(data, cJSON_AddStringToObject(data, "error", error_code_message(code)) != NULL &&
                             cJSON_AddStringToObject(data, "code", error_code_name(code)) != NULL);
    reply_send(worker, conn, "auth_failed", data, ref);
}

void reply_error(struct worker *worker, struct conn *conn, enum error_code code,
                 const char *message, const char *ref) {
    stats_add(worker->stats, STAT_ERRORS_OUT, 1);
    reply_send(worker, conn, "error", error_data(code, message), ref);
}

void reply_rate_limited(struct worker *worker, struct conn *conn, unsigned retry_after_s,
                        const char *ref) {
    cJSON *data = error_data(ERROR_RATE_LIMIT_EXCEEDED, NULL);

    data = reply_data(data, reply_add_integer(data, "retryAfter", retry_after_s));
    stats_add(worker->stats, STAT_ERRORS_OUT, 1);
    reply_send(worker, conn, "error", data, ref);
}

void reply_channel_error(struct worker *worker, struct conn *conn, enum error_code code,
                         const char *channel, const char *ref) {
    cJSON *data = error_data(code, NULL);

    /* A name that cannot be one is not sent back: it could be as long as a message. */
    if (strlen(channel) <= ROOM_NAME_MAX_BYTES) {
        data = reply_data(data, cJSON_AddStringToObject(data, "channel", channel) != NULL);
    }
    stats_add(worker->stats, STAT_ERRORS_OUT, 1);
    reply_send(worker, conn, "error", data, ref);
}

void reply_auth_required(struct worker *worker, struct conn *conn) {
    cJSON *data = cJSON_CreateObject();
    char id[CONN_ID_BYTES];

    conn_id_text(conn, id);
    data = reply_data(data, reply_add_integer(data, "timeout", worker->options->auth_timeout) &&
                                cJSON_AddStringToObject(data, "connectionId", id) != NULL);
    reply_send(worker, conn, "auth_required", data, NULL);
}

void reply_resumed(struct worker *worker, struct conn *conn, const char *reason, uint32_t count,
                   const char *ref) {
    cJSON *data = cJSON_CreateObject();

    data = reply_data(data, cJSON_AddBoolToObject(data, "recovered", reason == NULL) != NULL &&
                                (reason == NULL
                                     ? reply_add_integer(data, "count", count)
                                     : cJSON_AddStringToObject(data, "reason", reason) != NULL));
    reply_send(worker, conn, "resumed", data, ref);
}

bool reply_add_integer(cJSON *object, const char *name, int64_t value) {
    char digits[24];

    (void)snprintf(digits, sizeof(digits), "%" PRId64, value);
    return cJSON_AddRawToObject(object, name, digits) != NULL;
}

bool reply_add_position(struct worker *worker, const struct conn *conn, cJSON *data) {
    struct span position;

    return !conn_position(worker, conn, &position) ||
           cJSON_AddRawToObject(data, "position", position.data) != NULL;
}

cJSON *reply_data(cJSON *data, bool complete) {
    if (complete) {
        return data;
    }
    cJSON_Delete(data);
    return NULL;
}

static cJSON *error_data(enum error_code code, const char *message) {
    cJSON *data = cJSON_CreateObject();

    return reply_data(data, cJSON_AddStringToObject(data, "code", error_code_name(code)) != NULL &&
                                cJSON_AddStringToObject(
                                    data, "message",
                                    message != NULL ? message : error_code_message(code)) != NULL);
}

static bool print(const cJSON *envelope) {
    while (text.size == 0 ||
           !cJSON_PrintPreallocated((cJSON *)envelope, text.bytes, (int)text.size, 0)) {
        if (!grow()) {
            return false;
        }
    }
    return true;
}

static bool grow(void) {
    size_t size = text.size == 0 ? TEXT_FIRST_BYTES : text.size * 2;
    char *bytes = size > TEXT_MOST_BYTES ? NULL : realloc(text.bytes, size);

    if (bytes == NULL) {
        return false;
    }
    text.bytes = bytes;
    text.size = size;
    return true;
}

/* Unique without anybody to ask: a random prefix of the process and a counter. */
static void next_id(char id[ID_BYTES]) {
    static uint64_t prefix, count;

    if (count == 0) {
        prefix = random_prefix();
    }
    (void)snprintf(id, ID_BYTES, "m%016" PRIx64 "-%" PRIx64, prefix, ++count);
}

static uint64_t random_prefix(void) {
    uint64_t prefix;

    if (getrandom(&prefix, sizeof(prefix), 0) != (ssize_t)sizeof(prefix)) {
        /* Never seen on Linux for 8 bytes; process and moment still tell two processes apart. */
        prefix = (uint64_t)clock_wall_ms() << 22 | ((uint64_t)getpid() & 0x3fffff);
    }
    return prefix;
}
