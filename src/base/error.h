/* Filling an sft_error: the one way in which a call of the library fails. */
#ifndef SFT_SRC_BASE_ERROR_H
#define SFT_SRC_BASE_ERROR_H

#include <sft/base.h>

/*
 * Stores status, byte and a printf-like message, and returns status, so that a
 * call can end with `return sft_fail(…)`. Whatever tensor or file an earlier use
 * left in the error is cleared. error may be NULL. Text from outside goes through
 * sft_show() first: a message holds no control characters.
 */
sft_status sft_fail(sft_error *error, sft_status status, uint64_t byte, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The same for a failed system call: the message gets ": " and the system's words for it. */
sft_status sft_fail_system(sft_error *error, sft_status status, int system_error,
                           const char *format, ...) __attribute__((format(printf, 4, 5)));

/* SFT_NO_MEMORY, in the same words everywhere. */
sft_status sft_fail_memory(sft_error *error);

/* Adds the tensor at fault to an error that was just filled. */
void sft_error_tensor(sft_error *error, const char *name, size_t length);

/* Adds the file at fault to an error that was just filled; does nothing if one is named already. */
void sft_error_file(sft_error *error, const char *path);

/*
 * Adds line and column to an error whose byte lies in a JSON text, which begins at byte `base` of
 * the file; does nothing to others.
 */
void sft_error_place(sft_error *error, const char *text, uint64_t size, uint64_t base);

/* The end of a noun in a message: "1 byte", "2 bytes". */
static inline const char *sft_plural(uint64_t count) {
    return count == 1 ? "" : "s";
}

/* Text from outside, made fit for a message: escaped, and cut to a length people can read. */
typedef struct sft_shown {
    char text[120];
} sft_shown;

sft_shown sft_show(const char *text, size_t length);

#endif
