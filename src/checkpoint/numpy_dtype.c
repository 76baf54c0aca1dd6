/* What NumPy's descriptions of dtypes say (numpy.dtype of a text). */
#include <string.h>

#include "base/checked.h"
#include "base/error.h"
#include "base/escape.h"
#include "checkpoint/npy.h"

#define LONGEST 1024U

/* A kind and a size in bytes: "f4". The size in bytes is that of the name but for U. */
typedef struct known {
    const char *text;
    uint8_t dtype; /* SFT_DTYPES: none of ours */
    uint8_t size;
} known;

/*
 * Codes with a size, codes of one letter as C's types have them, and names. l, L and p have another
 * size on other machines; g is as long as the machine's long double.
 */
static const known table[] = {
    {"b1", SFT_BOOL, 1},
    {"i1", SFT_I8, 1},
    {"i2", SFT_I16, 2},
    {"i4", SFT_I32, 4},
    {"i8", SFT_I64, 8},
    {"u1", SFT_U8, 1},
    {"u2", SFT_U16, 2},
    {"u4", SFT_U32, 4},
    {"u8", SFT_U64, 8},
    {"f2", SFT_F16, 2},
    {"f4", SFT_F32, 4},
    {"f8", SFT_F64, 8},
    {"c8", SFT_C64, 8},
    {"c16", SFT_DTYPES, 16},
    {"f12", SFT_DTYPES, 12},
    {"f16", SFT_DTYPES, 16},
    {"c24", SFT_DTYPES, 24},
    {"c32", SFT_DTYPES, 32},
    {"M8", SFT_DTYPES, 8},
    {"m8", SFT_DTYPES, 8},
    {"?", SFT_BOOL, 1},
    {"b", SFT_I8, 1},
    {"B", SFT_U8, 1},
    {"h", SFT_I16, 2},
    {"H", SFT_U16, 2},
    {"i", SFT_I32, 4},
    {"I", SFT_U32, 4},
    {"q", SFT_I64, 8},
    {"Q", SFT_U64, 8},
    {"e", SFT_F16, 2},
    {"f", SFT_F32, 4},
    {"d", SFT_F64, 8},
    {"F", SFT_C64, 8},
    {"D", SFT_DTYPES, 16},
    {"bool", SFT_BOOL, 1},
    {"int8", SFT_I8, 1},
    {"int16", SFT_I16, 2},
    {"int32", SFT_I32, 4},
    {"int64", SFT_I64, 8},
    {"uint8", SFT_U8, 1},
    {"uint16", SFT_U16, 2},
    {"uint32", SFT_U32, 4},
    {"uint64", SFT_U64, 8},
    {"float16", SFT_F16, 2},
    {"float32", SFT_F32, 4},
    {"float64", SFT_F64, 8},
    {"complex64", SFT_C64, 8},
    {"complex128", SFT_DTYPES, 16},
    {"S", SFT_DTYPES, 0},
    {"U", SFT_DTYPES, 0},
    {"V", SFT_DTYPES, 0},
    {"l", SFT_DTYPES, 0},
    {"L", SFT_DTYPES, 0},
    {"p", SFT_DTYPES, 0},
    {"P", SFT_DTYPES, 0},
    {"g", SFT_DTYPES, 0},
    {"G", SFT_DTYPES, 0},
    {"float128", SFT_DTYPES, 16},
    {"complex256", SFT_DTYPES, 32},
};

static const known *look_up(const char *text, size_t length) {
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (strlen(table[i].text) == length && memcmp(table[i].text, text, length) == 0) {
            return &table[i];
        }
    }
    return NULL;
}

/* "S5", "a5", "V16", "U5", whose characters take four bytes each. */
static bool is_text_type(const char *text, size_t length, uint64_t *size) {
    if (length < 2 || memchr("SaUV", text[0], 4) == NULL) {
        return false;
    }
    *size = 0;
    for (size_t i = 1; i < length; i++) {
        uint64_t digit = (uint64_t)(text[i] - '0');
        if (text[i] < '0' || text[i] > '9' || !sft_multiply(*size, 10, size) ||
            !sft_add(*size, digit, size)) {
            return false;
        }
    }
    return text[0] != 'U' || sft_multiply(*size, 4, size);
}

/* Whether elements of this type hold pickled objects, in part at least: "O", "object", "i4,O". */
static bool holds_objects(const char *text, size_t length) {
    for (size_t i = 0; i < length; i++) {
        if (text[i] == 'O' || (length - i >= 6 && memcmp(text + i, "object", 6) == 0)) {
            return true;
        }
    }
    return false;
}

/* Printable, and no longer than structured types in one text are. */
static bool is_clean(const char *text, size_t length) {
    if (length > LONGEST) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        if (text[i] <= ' ' || text[i] > '~') {
            return false;
        }
    }
    return length > 0;
}

sft_status sft_numpy_dtype_parse(const char *text, size_t length, sft_numpy_dtype *dtype,
                                 sft_error *error) {
    *dtype = (sft_numpy_dtype){.supported = false};
    sft_line line = sft_line_begin(dtype->text, sizeof dtype->text);
    sft_line_escape(&line, text, length < sizeof dtype->text ? length : sizeof dtype->text, NULL,
                    false);
    if (!is_clean(text, length)) {
        sft_fail(error, SFT_MALFORMED_SOURCE, SFT_NO_BYTE, "\"%s\" is no type of NumPy's",
                 dtype->text);
        return SFT_MALFORMED_SOURCE;
    }
    if (holds_objects(text, length)) {
        dtype->object = true;
        return SFT_OK;
    }
    bool ordered = memchr("<>=|", text[0], 4) != NULL;
    const char *code = text + (ordered ? 1 : 0);
    size_t code_length = length - (ordered ? 1 : 0);
    const known *row = look_up(code, code_length);
    if (row != NULL) {
        dtype->supported = row->dtype != SFT_DTYPES;
        dtype->dtype = dtype->supported ? (sft_dtype)row->dtype : SFT_BOOL;
        dtype->item_size = row->size;
        dtype->big_endian = text[0] == '>' && row->size > 1;
        return SFT_OK;
    }
    uint64_t size;
    if (is_text_type(code, code_length, &size)) {
        dtype->item_size = size;
        return SFT_OK;
    }
    bool dated = code_length > 3 && (code[0] == 'M' || code[0] == 'm') && code[1] == '8' &&
                 code[2] == '[' && code[code_length - 1] == ']';
    if (dated) {
        dtype->item_size = 8;
        return SFT_OK;
    }
    if (memchr(text, ',', length) != NULL || text[0] == '(') {
        return SFT_OK;
    }
    sft_fail(error, SFT_MALFORMED_SOURCE, SFT_NO_BYTE, "\"%s\" is no type of NumPy's", dtype->text);
    return SFT_MALFORMED_SOURCE;
}
