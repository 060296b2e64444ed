#include "gateway/message/subscribe_later.h"

#include "gateway/access/policy_ask.h"
#include "gateway/connection/conn.h"
#include "gateway/message/reply.h"
#include "gateway/message/subscribe.h"

#include <stdlib.h>
#include <sys/queue.h>

struct note {
    LIST_ENTRY(note) link;
    uint64_t conn_id;
    bool cancelled;
    char *ref; /* NULL: the message had no id */
    char channel[];
};

static LIST_HEAD(, note) notes = LIST_HEAD_INITIALIZER(notes); /* one worker a process */

static struct note *note_new(const struct conn *conn, const char *channel, const char *ref);
static void note_free(struct note *note);
static policy_ask_answer on_answer;

void subscribe_later(struct worker *worker, struct conn *conn, const char *channel,
                     struct span room, const char *ref) {
    struct note *note = note_new(conn, channel, ref);
    int error =
        note == NULL ? -ENOMEM : policy_ask_later(worker, conn, POLICY_JOIN, room, on_answer, note);

    if (error != 0) {
        note_free(note);
        reply_channel_error(worker, conn,
                            error == -ENOMEM ? ERROR_MESSAGE_PROCESSING_ERROR
                                             : ERROR_SERVICE_UNAVAILABLE,
                            channel, ref);
        return;
    }
    LIST_INSERT_HEAD(&notes, note, link);
}

void subscribe_later_cancel(struct worker *worker, struct conn *conn, const char *channel) {
    struct note *note;

    LIST_FOREACH(note, &notes, link) {
        if (!note->cancelled && note->conn_id == conn_id(conn) &&
            strcmp(note->channel, channel) == 0) {
            note->cancelled = true;
            reply_channel_error(worker, conn, ERROR_SERVICE_UNAVAILABLE, channel, note->ref);
        }
    }
}

static struct note *note_new(const struct conn *conn, const char *channel, const char *ref) {
    size_t size = strlen(channel) + 1;
    struct note *note = calloc(1, sizeof(*note) + size);

    if (note == NULL) {
        return NULL;
    }
    note->conn_id = conn_id(conn);
    memcpy(note->channel, channel, size);
    note->ref = ref == NULL ? NULL : strdup(ref);
    if (ref != NULL && note->ref == NULL) {
        free(note);
        return NULL;
    }
    return note;
}

static void note_free(struct note *note) {
    if (note != NULL) {
        free(note->ref);
        free(note);
    }
}

static void on_answer(struct worker *worker, struct conn *conn, void *context,
                      enum policy_result result) {
    struct note *note = context;

    LIST_REMOVE(note, link);
    if (conn != NULL && !note->cancelled) {
        if (result == POLICY_ALLOW) {
            subscribe_channel(worker, conn, note->channel, note->ref);
        } else {
            reply_channel_error(worker, conn, policy_ask_error(result), note->channel, note->ref);
        }
    }
    note_free(note);
}
