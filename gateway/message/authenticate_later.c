#include "gateway/message/authenticate_later.h"

#include "gateway/access/token_verify.h"
#include "gateway/connection/conn.h"
#include "gateway/message/authenticate.h"
#include "gateway/message/resume.h"
#include "gateway/message/subscribe.h"

#include <stdlib.h>
#include <sys/queue.h>

struct note {
    LIST_ENTRY(note) link;
    struct worker *worker;
    uint64_t conn_id;
    uint32_t conn_index;
    char *ref;       /* NULL: the message had no id */
    cJSON *channels; /* NULL: none named */
    struct resume resume;
};

static LIST_HEAD(, note) notes = LIST_HEAD_INITIALIZER(notes); /* one worker a process */

static bool waits_already(const struct conn *conn);
static struct note *note_new(struct worker *worker, const struct conn *conn,
                             const struct message *message);
static void note_free(struct note *note);
static void on_answer(void *context, const struct identity *identity, enum error_code code);
static void settle(struct note *note, struct conn *conn, const struct identity *identity,
                   enum error_code code);

void authenticate_later(struct worker *worker, struct conn *conn, const struct message *message,
                        struct span token) {
    struct note *note = waits_already(conn) ? NULL : note_new(worker, conn, message);

    if (note != NULL && token_verify_later(worker, token, on_answer, note) == 0) {
        LIST_INSERT_HEAD(&notes, note, link);
        conn_await_verdict(conn);
        return;
    }
    note_free(note);
    authenticate_refuse(worker, conn, ERROR_AUTH_UNAVAILABLE, message->ref);
}

/* Before authentication the messages behind the first wait for its verdict; so this is for a refresh, of which there are
 * few at a time, and at most as many as the client to the service keeps waiting. */
static bool waits_already(const struct conn *conn) {
    const struct note *note;

    if (!conn_authenticated(conn)) {
        return false;
    }
    LIST_FOREACH(note, &notes, link) {
        if (note->conn_id == conn_id(conn)) {
            return true;
        }
    }
    return false;
}

static struct note *note_new(struct worker *worker, const struct conn *conn,
                             const struct message *message) {
    struct note *note = calloc(1, sizeof(*note));
    const cJSON *channels = NULL;
    bool named = message_field(message, "channels", &channels) != 0;

    if (note == NULL) {
        return NULL;
    }
    note->worker = worker;
    note->conn_id = conn_id(conn);
    note->conn_index = conn_index(conn);
    note->resume = resume_read(worker, message, "resume");
    note->ref = message->ref == NULL ? NULL : strdup(message->ref);
    /* Named twice: a null, which is refused like any other thing that is no list. */
    note->channels = !named             ? NULL
                     : channels == NULL ? cJSON_CreateNull()
                                        : cJSON_Duplicate(channels, true);
    if ((message->ref != NULL && note->ref == NULL) || (named && note->channels == NULL)) {
        note_free(note);
        return NULL;
    }
    return note;
}

static void note_free(struct note *note) {
    if (note != NULL) {
        free(note->ref);
        cJSON_Delete(note->channels);
        resume_done(&note->resume);
        free(note);
    }
}

static void on_answer(void *context, const struct identity *identity, enum error_code code) {
    struct note *note = context;

    LIST_REMOVE(note, link);
    struct conn *conn = conn_find(note->worker, note->conn_index, note->conn_id);
    if (conn != NULL) {
        /* no answer: the worker stops, or has reloaded and asks another service now */
        settle(note, conn, identity, code == ERROR_CODE_COUNT ? ERROR_AUTH_UNAVAILABLE : code);
        conn_verdict_given(note->worker, conn);
    }
    note_free(note);
}

static void settle(struct note *note, struct conn *conn, const struct identity *identity,
                   enum error_code code) {
    if (identity == NULL) {
        authenticate_refuse(note->worker, conn, code, note->ref);
    } else if (authenticate_accept(note->worker, conn, identity, resume_then(&note->resume),
                                   note->ref)) {
        if (note->channels != NULL) {
            subscribe_each(note->worker, conn, note->channels, note->ref, subscribe_channel);
        }
        resume_start(note->worker, conn, &note->resume, note->ref);
        conn_answered(note->worker, conn);
    }
}
