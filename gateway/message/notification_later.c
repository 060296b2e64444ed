#include "gateway/message/notification_later.h"

#include "gateway/connection/conn.h"
#include "gateway/external/external.h"

#include <stdlib.h>
#include <sys/queue.h>

struct note {
    TAILQ_ENTRY(note) link;
    struct worker *worker;
    notification_go_on *go_on;
    uint64_t conn_id;
    uint32_t conn_index;
    bool ready; /* to go on, when it is its turn */
    struct message message;
    char *metadata; /* NULL: none */
    size_t metadata_length;
    char text[]; /* ref, NUL, the message's data */
};

/* In the order of their coming; one worker a process. */
static TAILQ_HEAD(notes, note) notes = TAILQ_HEAD_INITIALIZER(notes);
static unsigned waiting;

static bool waits(const struct conn *conn);
static struct note *note_new(struct worker *worker, const struct conn *conn,
                             const struct message *message, notification_go_on *go_on);
static enrich_done on_metadata;
static void go_on_in_order(uint64_t conn_id);
static void go_on_with(struct note *note);

int notification_later(struct worker *worker, struct conn *conn, const struct message *message,
                       const struct notification_question *question, notification_go_on *go_on) {
    bool asks = worker->external != NULL && question->user_id.length > 0;
    struct note *note;

    if (!asks && !waits(conn)) {
        go_on(worker, conn, message, SPAN_LITERAL(""));
        return 0;
    }
    if (waiting == NOTIFICATION_LATER_MOST) {
        return -EAGAIN;
    }
    note = note_new(worker, conn, message, go_on);
    if (note == NULL) {
        return -ENOMEM;
    }
    if (!asks || enrich_ask(external_enrich(worker->external), question->user_id, question->type,
                            on_metadata, note) != 0) {
        note->ready = true;
        go_on_in_order(note->conn_id);
    }
    return 0;
}

static bool waits(const struct conn *conn) {
    const struct note *note;

    TAILQ_FOREACH(note, &notes, link) {
        if (note->conn_id == conn_id(conn)) {
            return true;
        }
    }
    return false;
}

static struct note *note_new(struct worker *worker, const struct conn *conn,
                             const struct message *message, notification_go_on *go_on) {
    const struct span ref = span_of(message->ref != NULL ? message->ref : "");
    const struct span data = message->text.text;
    struct note *note = calloc(1, sizeof(*note) + ref.length + 1 + data.length);

    if (note == NULL) {
        return NULL;
    }
    memcpy(note->text, ref.data, ref.length);
    memcpy(note->text + ref.length + 1, data.data, data.length);
    note->worker = worker;
    note->go_on = go_on;
    note->conn_id = conn_id(conn);
    note->conn_index = conn_index(conn);
    note->message = (struct message){
        .type = message_row_of(span_of(message->type))->type,
        .ref = message->ref != NULL ? note->text : NULL,
        .text = {message->text.type, {note->text + ref.length + 1, data.length}},
    };
    TAILQ_INSERT_TAIL(&notes, note, link);
    waiting++;
    return note;
}

static void on_metadata(void *context, struct span metadata) {
    struct note *note = context;

    if (metadata.length > 0 && (note->metadata = malloc(metadata.length)) != NULL) {
        memcpy(note->metadata, metadata.data, metadata.length);
        note->metadata_length = metadata.length;
    }
    note->ready = true;
    go_on_in_order(note->conn_id);
}

/* All that are ready and have none before them that is not. */
static void go_on_in_order(uint64_t conn_id) {
    struct note *note = TAILQ_FIRST(&notes);

    while (note != NULL) {
        struct note *next = TAILQ_NEXT(note, link);
        if (note->conn_id == conn_id && !note->ready) {
            return;
        }
        if (note->conn_id == conn_id) {
            go_on_with(note);
        }
        note = next;
    }
}

static void go_on_with(struct note *note) {
    struct conn *conn = conn_find(note->worker, note->conn_index, note->conn_id);

    TAILQ_REMOVE(&notes, note, link);
    waiting--;
    if (conn != NULL) {
        const bool known = note->metadata != NULL;
        note->go_on(note->worker, conn, &note->message,
                    (struct span){known ? note->metadata : "", note->metadata_length});
    }
    free(note->metadata);
    free(note);
}
