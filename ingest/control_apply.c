#include "ingest/control_apply.h"

#include "common/clock.h"
#include "common/control_message.h"
#include "common/log.h"

#include <inttypes.h>

static void revoke(const struct control_apply *control, const struct control_message *message,
                   int64_t sent_ms, int64_t now_ms);
static void disconnect(const struct control_apply *control, const struct control_message *message);
static enum revocation_kind kind_of(const struct control_message *message);
static void announce(const struct control_apply *control, enum revocation_kind kind, uint64_t key,
                     uint64_t before_ms, const struct control_message *message);
static void tell_rejected(const char *label, int64_t offset, const char *why);
static void tell_full(void);

bool control_apply_value(const struct control_apply *control, const char *label, int64_t offset,
                         int64_t sent_ms, struct span value) {
    struct control_message message;
    const char *why = "";
    int64_t now_ms = clock_wall_ms();

    if (control_message_read(value, &message, &why) != 0) {
        stats_add(control->stats, STAT_CONTROL_REJECTED, 1);
        tell_rejected(label, offset, why);
        return false;
    }
    if (message.kind == CONTROL_MESSAGE_REVOKE) {
        revoke(control, &message, sent_ms, now_ms);
    } else if (now_ms - sent_ms < CONTROL_APPLY_LATE_MS) {
        disconnect(control, &message);
    }
    stats_add(control->stats, STAT_CONTROL_MESSAGES, 1);
    return true;
}

static void revoke(const struct control_apply *control, const struct control_message *message,
                   int64_t sent_ms, int64_t now_ms) {
    enum revocation_kind kind = kind_of(message);
    bool dated = message->issued_before_ms != 0;
    int64_t from_ms = message->issued_before_ms > sent_ms ? message->issued_before_ms : sent_ms;
    int64_t until_ms = message->until_ms != 0 ? message->until_ms : from_ms + control->default_ms;
    uint64_t before_ms = dated ? (uint64_t)message->issued_before_ms : REVOCATIONS_ANY_TIME;
    uint64_t key = revocations_key(control->hash_key, kind, span_of(message->name));

    if (until_ms <= now_ms) {
        return; /* from the topic's past: all tokens concerned have expired */
    }
    if (kind == REVOCATION_ALL_BEFORE) {
        revocations_put_all(control->table, before_ms, (uint64_t)until_ms);
    } else if (!revocations_put(control->table, key, before_ms, (uint64_t)until_ms,
                                (uint64_t)now_ms)) {
        stats_add(control->stats, STAT_REVOCATIONS_COARSE, 1);
        tell_full();
    }
    announce(control, kind, key, before_ms, message);
}

static void disconnect(const struct control_apply *control, const struct control_message *message) {
    announce(control, kind_of(message), 0, REVOCATIONS_ANY_TIME, message);
}

static enum revocation_kind kind_of(const struct control_message *message) {
    bool dated = message->issued_before_ms != 0;
    bool closes = message->kind == CONTROL_MESSAGE_DISCONNECT;

    switch (message->subject) {
    case CONTROL_MESSAGE_USER:
        return closes  ? REVOCATION_DISCONNECT_USER
               : dated ? REVOCATION_USER_BEFORE
                       : REVOCATION_USER;
    case CONTROL_MESSAGE_SESSION:
        return REVOCATION_SESSION;
    case CONTROL_MESSAGE_TOKEN:
        return REVOCATION_TOKEN;
    case CONTROL_MESSAGE_CONNECTION:
        return REVOCATION_DISCONNECT_CONNECTION;
    case CONTROL_MESSAGE_EVERYBODY:
        break;
    }
    return REVOCATION_ALL_BEFORE;
}

static void announce(const struct control_apply *control, enum revocation_kind kind, uint64_t key,
                     uint64_t before_ms, const struct control_message *message) {
    struct revocations_change change = {.kind = (uint32_t)kind,
                                        .name_length = (uint16_t)strlen(message->name),
                                        .reason_length = (uint16_t)strlen(message->reason),
                                        .key = key,
                                        .before_ms = before_ms};

    memcpy(change.name, message->name, change.name_length);
    memcpy(change.reason, message->reason, change.reason_length);
    revocations_announce(control->table, &change);
}

/* Whom it should have shut out is not shut out: no warning, an error. */
static void tell_rejected(const char *label, int64_t offset, const char *why) {
    static struct log_rate rate = {.per_second = 5};

    if (log_rate_allow(&rate)) {
        log_error("control message %s:%" PRId64 " is ignored: %s%s", label, offset, why,
                  rate.left_out);
    }
}

static void tell_full(void) {
    static struct log_rate rate = {.per_second = 1};

    if (log_rate_allow(&rate)) {
        log_error("THE TABLE OF REVOCATIONS IS FULL: tokens of other users are refused too, until "
                  "the revocations expire; raise REVOCATION_MAX%s",
                  rate.left_out);
    }
}
