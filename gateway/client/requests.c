#include "gateway/client/requests.h"
#include "common/clock.h"
#include "gateway/client/ws_client.h"

#include <stdio.h>
#include <stdlib.h>

void requests_free(struct requests *requests) {
    for (unsigned i = 0; i < requests->count; i++) {
        free(requests->list[i].message.text);
    }
    requests->count = 0;
}

bool requests_full(const struct requests *requests) {
    return requests->count == REQUESTS_MAX;
}

void requests_add(struct requests *requests, struct composed *message) {
    requests->list[requests->count++] = (struct request){.message = *message};
    *message = (struct composed){.text = NULL};
}

static void remove_at(struct requests *requests, unsigned index) {
    struct request *request = &requests->list[index];
    free(request->message.text);
    requests->count--;
    memmove(request, request + 1, (requests->count - index) * sizeof(*request));
}

int requests_send(struct requests *requests, struct ws_client *client) {
    for (unsigned i = 0; i < requests->count;) {
        struct request *request = &requests->list[i];
        if (request->sent_ns != 0) {
            i++;
            continue;
        }
        int result = ws_client_send_text(client, span_of(request->message.text));
        if (result != 0) {
            return result;
        }
        request->sent_ns = clock_mono_ns();
        if (strcmp(request->message.type, "typing") == 0) {
            remove_at(requests, i);
        } else {
            i++;
        }
    }
    return 0;
}

void requests_lost(struct requests *requests) {
    for (unsigned i = 0; i < requests->count; i++) {
        requests->list[i].sent_ns = 0;
    }
}

bool requests_answer(struct requests *requests, const struct envelope *envelope,
                     char answers[REQUESTS_ANSWERS_BYTES]) {
    for (unsigned i = 0; i < requests->count && envelope->ref.length > 0; i++) {
        const struct request *request = &requests->list[i];
        if (request->sent_ns == 0 || !span_is(envelope->ref, request->message.id)) {
            continue;
        }
        double ms = (double)(clock_mono_ns() - request->sent_ns) / 1e6;
        snprintf(answers, REQUESTS_ANSWERS_BYTES, "answers %s, %.1f ms", request->message.type, ms);
        requests->errors += span_is(envelope->type, "error") ? 1 : 0;
        remove_at(requests, i);
        return true;
    }
    return false;
}
