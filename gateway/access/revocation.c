#include "gateway/access/revocation.h"

#include "common/clock.h"

static uint64_t key_of(const struct worker *worker, enum revocation_kind kind, struct span name) {
    return name.length == 0 ? 0
                            : revocations_key(&worker->view.segment.header->hash_key, kind, name);
}

void revocation_marks_of(const struct worker *worker, const struct identity *identity,
                         struct revocation_marks *marks) {
    *marks = (struct revocation_marks){
        .issued_ms = identity->marks.issued_ms > 0 ? (uint64_t)identity->marks.issued_ms : 0,
        .session_key = key_of(worker, REVOCATION_SESSION, span_of(identity->marks.session_id)),
        .token_key = key_of(worker, REVOCATION_TOKEN, span_of(identity->marks.token_id)),
    };
}

bool revocation_stands(const struct worker *worker, struct span user_id,
                       const struct revocation_marks *marks) {
    const struct revocations *table = &worker->view.revocations;
    uint64_t now_ms = (uint64_t)clock_wall_ms();
    const uint64_t keys[] = {key_of(worker, REVOCATION_USER, user_id),
                             key_of(worker, REVOCATION_USER_BEFORE, user_id), marks->session_key,
                             marks->token_key};

    if (revocations_has_all(table, marks->issued_ms, now_ms)) {
        return true;
    }
    for (unsigned i = 0; i < ARRAY_LENGTH(keys); i++) {
        if (keys[i] != 0 && revocations_has(table, keys[i], marks->issued_ms, now_ms)) {
            return true;
        }
    }
    return false;
}

bool revocation_known(const struct worker *worker) {
    return worker->view.revocations.header == NULL || /* none but tests of other things */
           (load_relaxed(&worker->view.segment.ingest->flags) & INGEST_CAUGHT_UP) != 0 ||
           revocation_unknowable(worker);
}

bool revocation_unknowable(const struct worker *worker) {
    const struct ingest_block *ingest = worker->view.segment.ingest;
    uint64_t changed_ms = load_relaxed(&ingest->kafka_changed_ms); /* 0: ingest has not begun */

    return (load_relaxed(&ingest->flags) & (INGEST_CAUGHT_UP | INGEST_KAFKA_UP)) == 0 &&
           changed_ms != 0 && (uint64_t)clock_wall_ms() > changed_ms + REVOCATION_SILENCE_MS;
}

enum error_code revocation_check(const struct worker *worker, const struct identity *identity) {
    struct revocation_marks marks;

    if (!revocation_known(worker)) {
        return ERROR_AUTH_UNAVAILABLE;
    }
    if (worker->view.revocations.header == NULL) {
        return ERROR_CODE_COUNT;
    }
    revocation_marks_of(worker, identity, &marks);
    return revocation_stands(worker, span_of(identity->user_id), &marks) ? ERROR_TOKEN_REVOKED
                                                                         : ERROR_CODE_COUNT;
}
