#include "gateway/uplink.h"

#include "common/clock.h"
#include "shm/record.h"
#include "shm/uplink_put.h"
#include "shm/wake.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <sys/random.h>

/* At most so much stands around a value and the name of its room in the ring: the record's header, what the envelope adds. */
#define AROUND_BYTES 1024

/* Who waits for the entry of that number; done NULL: nobody, or he has been told. */
struct waiting {
    uplink_done *done;
    void *context;
    uint64_t deadline_ns;
    enum uplink_target target;
};

struct uplink {
    struct uplink_put put;
    uint64_t oldest, next;     /* numbers: waiting may stand between them; all wait equally long */
    uint64_t random, messages; /* together a `once` like no other */
    struct waiting waiting[UPLINK_ENTRIES];
};

static uint32_t flags_of(const struct uplink_message *message);
static bool has_room(const struct worker *worker, const struct uplink_message *message);
static struct uplink_once like_no_other(struct uplink *uplink);
static void on_answer(void *context, uint64_t number, const struct uplink_answer *answer);
static void tell(struct worker *worker, uint64_t number, const struct uplink_outcome *outcome);
static void tell_late(struct worker *worker);
static struct span topic_of(const struct worker *worker, enum uplink_target target);

int uplink_start(struct worker *worker) {
    struct uplink_block *block = worker->view.uplinks[worker->heritage.index];
    struct uplink *uplink = calloc(1, sizeof(*uplink));
    uint64_t random[2];

    if (uplink == NULL) {
        return -ENOMEM;
    }
    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random)) {
        free(uplink);
        return -EIO;
    }
    uplink->random = random[0];
    uplink_put_init(&uplink->put, block, random[1] / 2 + 1);
    uplink->oldest = uplink->next = uplink->put.tail;
    worker->uplink = uplink;
    return 0;
}

void uplink_stop(struct worker *worker) {
    static const struct uplink_outcome canceled = {.error = -ECANCELED};
    struct uplink *uplink = worker->uplink;

    if (uplink == NULL) {
        return;
    }
    while (uplink->oldest < uplink->next) {
        tell(worker, uplink->oldest++, &canceled);
    }
    worker->uplink = NULL;
    free(uplink);
}

int uplink_send(struct worker *worker, const struct uplink_message *message, uplink_done *done,
                void *context) {
    struct uplink *uplink = worker->uplink;
    uint64_t deadline_ns = clock_mono_ns() + UPLINK_TIMEOUT_MS * 1000000ull, number;

    if (uplink == NULL || (!message->at_once && (load_relaxed(&worker->view.segment.ingest->flags) &
                                                 INGEST_KAFKA_UP) == 0)) {
        return -ENOTCONN;
    }
    if (!has_room(worker, message)) {
        return -EMSGSIZE;
    }
    struct uplink_once own = like_no_other(uplink);
    struct uplink_item item = {.target = message->target,
                               .key = message->key,
                               .value = message->value,
                               .sender = message->sender,
                               .expiry_ms = message->expiry_ms,
                               .deadline_ns = deadline_ns,
                               .flags = flags_of(message),
                               .once = message->once != NULL ? message->once : &own};
    int result = uplink_put_add(&uplink->put, &item, &number);
    if (result != 0) {
        return result;
    }
    uplink->waiting[number % UPLINK_ENTRIES] =
        (struct waiting){done, context, deadline_ns, message->target};
    uplink->next = number + 1;
    stats_add(worker->stats, STAT_UPLINK_SENT, 1);
    if (uplink_put_must_wake(&uplink->put)) {
        wake_bell(worker->heritage.uplink_wake_fd);
    }
    return 0;
}

static uint32_t flags_of(const struct uplink_message *message) {
    return (message->ephemeral ? UPLINK_EPHEMERAL : 0) | (message->at_once ? UPLINK_AT_ONCE : 0);
}

/* Else Kafka would take what nobody then gets. */
static bool has_room(const struct worker *worker, const struct uplink_message *message) {
    return message->value.length + message->key.length + AROUND_BYTES <=
           record_limit(worker->view.segment.header->ring_capacity);
}

int uplink_once_of(const struct span *parts, unsigned count, struct uplink_once *out) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool done = context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1;

    for (unsigned i = 0; done && i < count; i++) {
        uint64_t length = parts[i].length; /* so that "a","bc" is not "ab","c" */
        done = EVP_DigestUpdate(context, &length, sizeof(length)) == 1 &&
               EVP_DigestUpdate(context, parts[i].data, parts[i].length) == 1;
    }
    done = done && EVP_DigestFinal_ex(context, digest, NULL) == 1;
    EVP_MD_CTX_free(context);
    if (!done) {
        return -ENOMEM;
    }
    memcpy(out->bytes, digest, sizeof(out->bytes));
    return 0;
}

void uplink_receive(struct worker *worker) {
    uplink_put_answers(&worker->uplink->put, on_answer, worker);
    tell_late(worker);
}

bool uplink_answered(const struct worker *worker) {
    return uplink_put_answered(&worker->uplink->put);
}

static struct uplink_once like_no_other(struct uplink *uplink) {
    /* What differs comes first: marks are looked up by their first bytes (shm/once.c). */
    uint64_t words[2] = {uplink->messages++, uplink->random};
    struct uplink_once once;

    static_assert(sizeof(once.bytes) == sizeof(words), "two words");
    memcpy(once.bytes, words, sizeof(words));
    return once;
}

static void on_answer(void *context, uint64_t number, const struct uplink_answer *answer) {
    struct worker *worker = context;
    enum uplink_target target = worker->uplink->waiting[number % UPLINK_ENTRIES].target;
    struct uplink_outcome outcome = {.error = answer->error,
                                     .topic = topic_of(worker, target),
                                     .partition = answer->partition,
                                     .offset = answer->offset};

    tell(worker, number, &outcome);
}

/* Emptied first: whoever is told may send again at once. */
static void tell(struct worker *worker, uint64_t number, const struct uplink_outcome *outcome) {
    struct waiting *waiting = &worker->uplink->waiting[number % UPLINK_ENTRIES];
    struct waiting told = *waiting;

    *waiting = (struct waiting){.done = NULL};
    if (outcome->error != 0) {
        stats_add(worker->stats, STAT_UPLINK_FAILED, 1);
    }
    if (told.done != NULL) {
        told.done(worker, told.context, outcome);
    }
}

/* An answered one in between has nobody waiting any more, so that it is passed over here. */
static void tell_late(struct worker *worker) {
    static const struct uplink_outcome late = {.error = -ETIMEDOUT};
    struct uplink *uplink = worker->uplink;

    while (uplink->oldest < uplink->next) {
        const struct waiting *waiting = &uplink->waiting[uplink->oldest % UPLINK_ENTRIES];
        if (waiting->deadline_ns != 0) {
            if (clock_mono_ns() < waiting->deadline_ns) {
                return;
            }
            tell(worker, uplink->oldest, &late);
        }
        uplink->oldest++;
    }
}

static struct span topic_of(const struct worker *worker, enum uplink_target target) {
    return span_of(target == UPLINK_CONTROL ? worker->options->kafka_topic_control
                                            : worker->options->kafka_topic_events);
}
