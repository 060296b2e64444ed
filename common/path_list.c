#include "common/path_list.h"

static char *trim(char *text) {
    size_t length;

    while (*text == ' ') {
        text++;
    }
    length = strlen(text);
    while (length > 0 && text[length - 1] == ' ') {
        text[--length] = '\0';
    }
    return text;
}

int path_list_split(char *text, const char **paths, unsigned most) {
    unsigned count = 0;

    while (text != NULL) {
        char *path = strsep(&text, ",");

        path = trim(path);
        if (*path == '\0') {
            continue;
        }
        if (count == most) {
            return -E2BIG;
        }
        paths[count++] = path;
    }
    return (int)count;
}
