#include "gateway/tls/tls_names.h"

#include <stdlib.h>

static bool normalize(struct span text, char out[TLS_NAME_MAX_BYTES + 1]);
static int by_text(const void *a, const void *b);
static int find_text(const struct tls_names *names, const char *text);

int tls_names_add(struct tls_names *names, struct span text, unsigned certificate) {
    struct tls_name name = {.certificate = certificate};
    if (!normalize(text, name.text)) {
        return 0;
    }
    if (names->count == names->capacity) {
        size_t capacity = names->capacity == 0 ? 16 : 2 * names->capacity;
        struct tls_name *list = reallocarray(names->list, capacity, sizeof(*list));
        if (list == NULL) {
            return -ENOMEM;
        }
        names->list = list;
        names->capacity = capacity;
    }
    names->list[names->count++] = name;
    return 0;
}

void tls_names_sort(struct tls_names *names) {
    size_t kept = 0;
    if (names->count == 0) {
        return;
    }
    qsort(names->list, names->count, sizeof(*names->list), by_text);
    for (size_t i = 1; i < names->count; i++) {
        if (strcmp(names->list[i].text, names->list[kept].text) != 0) {
            names->list[++kept] = names->list[i];
        }
    }
    names->count = kept + 1;
}

void tls_names_done(struct tls_names *names) {
    free(names->list);
    *names = (struct tls_names){0};
}

int tls_names_find(const struct tls_names *names, struct span server_name) {
    char text[TLS_NAME_MAX_BYTES + 1];
    if (!normalize(server_name, text) || text[0] == '*') {
        return -1;
    }
    int found = find_text(names, text);
    char *dot = strchr(text, '.');
    if (found >= 0 || dot == NULL || dot == text) {
        return found;
    }
    *--dot = '*'; /* "www.example.com" has become "*.example.com" */
    return find_text(names, dot);
}

static bool is_name_byte(char byte) {
    return (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte == '-' ||
           byte == '_' || byte == '.';
}

/* Lower case, without a last dot. False: it is no host name and no wildcard for one. */
static bool normalize(struct span text, char out[TLS_NAME_MAX_BYTES + 1]) {
    if (text.length > 0 && text.data[text.length - 1] == '.') {
        text.length--;
    }
    if (text.length == 0 || text.length > TLS_NAME_MAX_BYTES) {
        return false;
    }
    for (size_t i = 0; i < text.length; i++) {
        char byte = text.data[i];
        out[i] = (char)(byte >= 'A' && byte <= 'Z' ? byte - 'A' + 'a' : byte);
        bool wildcard = i == 0 && byte == '*' && text.length > 2 && text.data[1] == '.';
        if (!wildcard && !is_name_byte(out[i])) {
            return false;
        }
    }
    out[text.length] = '\0';
    return true;
}

static int by_text(const void *a, const void *b) {
    const struct tls_name *left = a, *right = b;
    int order = strcmp(left->text, right->text);
    return order != 0 ? order : (int)left->certificate - (int)right->certificate;
}

static int compare_key(const void *key, const void *name) {
    return strcmp(key, ((const struct tls_name *)name)->text);
}

static int find_text(const struct tls_names *names, const char *text) {
    const struct tls_name *found = names->count == 0 ? NULL
                                                     : bsearch(text, names->list, names->count,
                                                               sizeof(*names->list), compare_key);
    return found != NULL ? (int)found->certificate : -1;
}
