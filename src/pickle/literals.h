/*
 * Numbers and strings as text, in the way of the functions that CPython calls for them. A line is
 * given without its newline; as C strings end at a NUL, so do numbers.
 */
#ifndef SFT_SRC_PICKLE_LITERALS_H
#define SFT_SRC_PICKLE_LITERALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An integer, exact up to 128 bits. */
typedef struct sft_number {
    bool negative;
    bool beyond;        /* it has more */
    uint32_t digits[4]; /* of its size, in base 2^32, the lowest first */
} sft_number;

/* As PyLong_FromString() reads it, base 10 or 0 (which knows the prefixes 0x, 0o, 0b). */
bool sft_read_int(const char *text, uint64_t length, unsigned base, sft_number *number);

/* As INT reads it: by strtol() of base 0 (where 010 is 8), or else as above. */
bool sft_read_c_int(const char *text, uint64_t length, sft_number *number, bool *is_bool);

/* True if the number fits. */
bool sft_number_int(const sft_number *number, int64_t *value);

/* Writes a number that is not `beyond` as little-endian two's complement; the bytes, at most 17. */
size_t sft_number_bytes(const sft_number *number, char bytes[17]);

/*
 * As FLOAT reads it: no blanks, no hexadecimal digits; inf and nan in any case. `room` is scratch
 * space of length + 32 bytes. False also for a number too large for a double.
 */
bool sft_read_float(const char *text, uint64_t length, char *room, double *value);

/*
 * What STRING has between its quotes: backslash escapes of a bytes literal. `to` has room for
 * `length` bytes. False if an escape is broken.
 */
bool sft_unescape_bytes(const char *text, uint64_t length, char *to, uint64_t *used);

/*
 * What UNICODE has: latin1, with \uXXXX and \UXXXXXXXX. `to` has room for 2 * length bytes, which
 * become UTF-8 (surrogates as they are). False if an escape is broken.
 */
bool sft_unescape_unicode(const char *text, uint64_t length, char *to, uint64_t *used);

#endif
