#include "gateway/redis/redis_reply.h"

static void *(*library_array)(const redisReadTask *task, int elements);

/* NULL ends the reading with an error. */
static void *create_array(const redisReadTask *task, int elements) {
    return elements < 0 || (unsigned)elements > REDIS_REPLY_ELEMENTS
               ? NULL
               : library_array(task, elements);
}

redisReader *redis_reply_reader(void) {
    static redisReplyObjectFunctions bounded;
    redisReader *reader = redisReaderCreate();

    if (reader != NULL) {
        if (library_array == NULL) {
            library_array = reader->fn->createArray;
            bounded = *reader->fn;
            bounded.createArray = create_array;
        }
        reader->fn = &bounded;
    }
    return reader;
}

int redis_reply_feed(redisReader *reader, struct span bytes) {
    bool bounded = reader->len - reader->pos + bytes.length <= REDIS_REPLY_BYTES;

    return bounded && redisReaderFeed(reader, bytes.data, bytes.length) == REDIS_OK ? 0 : -EPROTO;
}

int redis_reply_next(redisReader *reader, redisReply **out) {
    void *reply = NULL;

    if (redisReaderGetReply(reader, &reply) != REDIS_OK) {
        return -EPROTO;
    }
    *out = reply;
    return reply != NULL;
}

void redis_reply_word(const redisReply *reply, char *word, size_t size) {
    size_t length = 0;

    while (length < reply->len && length + 1 < size && reply->str[length] >= 'A' &&
           reply->str[length] <= 'Z') {
        word[length] = reply->str[length];
        length++;
    }
    word[length] = '\0';
    if (length == 0 && size > sizeof("error")) {
        memcpy(word, "error", sizeof("error"));
    }
}

bool redis_reply_is_down(const redisReply *reply) {
    static const char *const words[] = {"LOADING",    "NOAUTH",      "WRONGPASS", "READONLY",
                                        "OOM",        "MOVED",       "MISCONF",   "MASTERDOWN",
                                        "NOREPLICAS", "CLUSTERDOWN", "NOPERM",    "BUSY"};
    char word[32];

    if (reply->type != REDIS_REPLY_ERROR) {
        return false;
    }
    redis_reply_word(reply, word, sizeof(word));
    for (size_t i = 0; i < ARRAY_LENGTH(words); i++) {
        if (strcmp(word, words[i]) == 0) {
            return true;
        }
    }
    return false;
}
