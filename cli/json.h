/*
 * JSON to standard output, written as it is made: no tree, no memory.
 */
#ifndef CLI_JSON_H
#define CLI_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void json_begin_object(void);
void json_end_object(void);
void json_begin_array(void);
void json_end_array(void);

/* json_key() - a member's name, one of our own: plain ASCII. */
void json_key(const char *key);
void json_key_bytes(const char *key, size_t length);

void json_string(const char *string);
void json_bytes(const char *bytes, size_t length);
void json_number(uint64_t number);
void json_real(double number); /* what JSON has no number for becomes "Infinity", "NaN" */
void json_bool(bool value);
void json_null(void);

/* json_begin_files() - {"schema":1,"files":[, the frame of what commands say of several files. */
void json_begin_files(void);
void json_end_files(void);

/* json_end() - the newline behind the document. */
void json_end(void);

#endif /* CLI_JSON_H */
