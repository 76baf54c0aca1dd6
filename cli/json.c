#include "json.h"

#include "output.h"
#include "text.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* Whether the next value or key is preceded by a comma: true after a value, false after a key or
 * an opening bracket. One flag is enough, for a value that ends is always followed by one. */
static bool comma;

static void separate(void) {
    if (comma) {
        output_string(",");
    }
    comma = true;
}

static void open_with(const char *bracket) {
    separate();
    output_string(bracket);
    comma = false;
}

static void close_with(const char *bracket) {
    output_string(bracket);
    comma = true;
}

void json_begin_object(void) {
    open_with("{");
}

void json_end_object(void) {
    close_with("}");
}

void json_begin_array(void) {
    open_with("[");
}

void json_end_array(void) {
    close_with("]");
}

void json_bytes(const char *bytes, size_t length) {
    struct text quoted = TEXT_EMPTY;
    text_quote(&quoted, bytes, length);
    separate();
    output_text(&quoted);
    text_free(&quoted);
}

void json_key_bytes(const char *key, size_t length) {
    json_bytes(key, length);
    output_string(":");
    comma = false;
}

void json_key(const char *key) {
    json_key_bytes(key, strlen(key));
}

void json_string(const char *string) {
    json_bytes(string, strlen(string));
}

void json_number(uint64_t number) {
    separate();
    output_format("%" PRIu64, number);
}

void json_real(double number) {
    if (isnan(number)) {
        json_string("NaN");
    } else if (isinf(number)) {
        json_string(number > 0 ? "Infinity" : "-Infinity");
    } else {
        separate();
        output_format("%.17g", number);
    }
}

void json_bool(bool value) {
    separate();
    output_string(value ? "true" : "false");
}

void json_null(void) {
    separate();
    output_string("null");
}

void json_begin_files(void) {
    json_begin_object();
    json_key("schema");
    json_number(1);
    json_key("files");
    json_begin_array();
}

void json_end_files(void) {
    json_end_array();
    json_end_object();
    json_end();
}

void json_end(void) {
    output_string("\n");
    comma = false;
}
