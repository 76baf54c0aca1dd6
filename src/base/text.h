/* Questions to names and paths. */
#ifndef SFT_SRC_BASE_TEXT_H
#define SFT_SRC_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* What stands behind the last slash; the whole path where there is none. */
static inline const char *sft_base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

static inline bool sft_ends_with(const char *text, const char *end) {
    size_t length = strlen(text);
    size_t size = strlen(end);
    return length >= size && strcmp(text + length - size, end) == 0;
}

/* ASCII letters only, whatever the locale. */
static inline char sft_lower(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* The same without regard to the case of ASCII letters; `end` is in lower case. */
static inline bool sft_ends_with_any_case(const char *text, size_t length, const char *end) {
    size_t size = strlen(end);
    if (length < size) {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        if (sft_lower(text[length - size + i]) != end[i]) {
            return false;
        }
    }
    return true;
}

#endif
