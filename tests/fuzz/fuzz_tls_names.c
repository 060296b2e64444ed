/* libFuzzer: server names over arbitrary bytes, as certificates and ClientHellos bring them. The first half of the input
 * is a list of names, one a line, each of a certificate of its own; each line of the second half is asked for. What is
 * found must be what a search through all names by hand finds.
 * clang -fsanitize=fuzzer,address,undefined */
#include "gateway/tls/tls_names.h"

#include <stdlib.h>
#include <strings.h>

#define REQUIRE(condition) ((condition) ? (void)0 : abort())

/* The next line, without its end; false when nothing is left. */
static bool next_line(struct span *rest, struct span *line) {
    if (rest->length == 0) {
        return false;
    }
    const char *end = memchr(rest->data, '\n', rest->length);
    size_t length = end != NULL ? (size_t)(end - rest->data) : rest->length;
    *line = (struct span){rest->data, length};
    size_t used = length + (end != NULL ? 1 : 0);
    *rest = (struct span){rest->data + used, rest->length - used};
    return true;
}

/* The first certificate that has this very name; -1: none. `names`: as they were added. */
static int first_of(const struct tls_names *names, const char *text, size_t length) {
    for (size_t i = 0; i < names->count; i++) {
        const struct tls_name *name = &names->list[i];
        if (strlen(name->text) == length && strncasecmp(name->text, text, length) == 0) {
            return (int)name->certificate;
        }
    }
    return -1;
}

static bool is_host(const char *text, size_t length) {
    static const char legal[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    for (size_t i = 0; i < length; i++) {
        if (memchr(legal, text[i], sizeof legal - 1) == NULL) {
            return false;
        }
    }
    return length > 0 && length <= TLS_NAME_MAX_BYTES;
}

static int find_by_hand(const struct tls_names *names, struct span asked) {
    char wildcard[TLS_NAME_MAX_BYTES + 2];
    size_t length = asked.length;
    if (length > 0 && asked.data[length - 1] == '.') {
        length--;
    }
    if (!is_host(asked.data, length)) {
        return -1;
    }
    int found = first_of(names, asked.data, length);
    const char *dot = memchr(asked.data, '.', length);
    if (found >= 0 || dot == NULL || dot == asked.data) {
        return found;
    }
    size_t rest = length - (size_t)(dot - asked.data);
    wildcard[0] = '*';
    memcpy(wildcard + 1, dot, rest);
    return first_of(names, wildcard, rest + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct tls_names names = {0};
    struct span certificates = {(const char *)data, size / 2}, line;
    struct span asked = {(const char *)data + size / 2, size - size / 2};
    for (unsigned i = 0; next_line(&certificates, &line); i++) {
        REQUIRE(tls_names_add(&names, line, i) == 0);
    }
    struct tls_names added = {.count = names.count};
    if (added.count > 0) {
        added.list = malloc(added.count * sizeof *added.list);
        REQUIRE(added.list != NULL);
        memcpy(added.list, names.list, added.count * sizeof *added.list);
    }
    tls_names_sort(&names);
    for (size_t i = 0; i < names.count; i++) {
        REQUIRE(strlen(names.list[i].text) <= TLS_NAME_MAX_BYTES);
        REQUIRE(i == 0 || strcmp(names.list[i - 1].text, names.list[i].text) < 0);
    }
    while (next_line(&asked, &line)) {
        REQUIRE(tls_names_find(&names, line) == find_by_hand(&added, line));
    }
    free(added.list);
    tls_names_done(&names);
    return 0;
}
