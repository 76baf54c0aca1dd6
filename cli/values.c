#include "values.h"

#include <math.h>
#include <string.h>

static uint32_t load16(const unsigned char *bytes) {
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8;
}

static uint32_t load32(const unsigned char *bytes) {
    return load16(bytes) | load16(bytes + 2) << 16;
}

static uint64_t load64(const unsigned char *bytes) {
    return (uint64_t)load32(bytes) | (uint64_t)load32(bytes + 4) << 32;
}

uint64_t values_integer(const unsigned char *bytes, size_t index) {
    return load64(bytes + 8 * index);
}

static double as_float(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return (double)value;
}

static double as_double(uint64_t bits) {
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* What the bit patterns stand for that the arithmetic of a small float does not explain. */
enum specials {
    FINITE,    /* nothing: every pattern is a number */
    IEEE,      /* the highest exponent: infinity, and NaN where the mantissa is not zero */
    ONE_NAN,   /* all ones behind the sign: NaN */
    MINUS_ZERO /* what would be minus zero: NaN */
};

/* A sign bit, then exponent, then mantissa. */
struct small_float {
    unsigned exponent_bits;
    unsigned mantissa_bits;
    int bias;
    enum specials specials;
};

static const struct small_float f4 = {2, 1, 1, FINITE};
static const struct small_float f6_e2m3 = {2, 3, 1, FINITE};
static const struct small_float f6_e3m2 = {3, 2, 3, FINITE};
static const struct small_float f8_e5m2 = {5, 2, 15, IEEE};
static const struct small_float f8_e4m3 = {4, 3, 7, ONE_NAN};
static const struct small_float f8_e4m3fnuz = {4, 3, 8, MINUS_ZERO};
static const struct small_float f8_e5m2fnuz = {5, 2, 16, MINUS_ZERO};
static const struct small_float f16 = {5, 10, 15, IEEE};

static double small_value(const struct small_float *form, unsigned pattern) {
    unsigned sign_bit = 1U << (form->exponent_bits + form->mantissa_bits);
    unsigned magnitude = pattern & (sign_bit - 1);
    unsigned exponent = magnitude >> form->mantissa_bits;
    unsigned mantissa = magnitude & ((1U << form->mantissa_bits) - 1);
    bool highest = exponent == (1U << form->exponent_bits) - 1;
    double sign = (pattern & sign_bit) != 0 ? -1.0 : 1.0;
    if (form->specials == IEEE && highest) {
        return mantissa == 0 ? sign * INFINITY : NAN;
    }
    if ((form->specials == ONE_NAN && magnitude == sign_bit - 1) ||
        (form->specials == MINUS_ZERO && pattern == sign_bit)) {
        return NAN;
    }
    int scale = (int)form->mantissa_bits + form->bias;
    if (exponent == 0) {
        return sign * ldexp((double)mantissa, 1 - scale);
    }
    return sign * ldexp((double)(mantissa + (1U << form->mantissa_bits)), (int)exponent - scale);
}

static const struct small_float *small_form(sft_dtype dtype) {
    switch (dtype) {
    case SFT_F4:
        return &f4;
    case SFT_F6_E2M3:
        return &f6_e2m3;
    case SFT_F6_E3M2:
        return &f6_e3m2;
    case SFT_F8_E5M2:
        return &f8_e5m2;
    case SFT_F8_E4M3:
        return &f8_e4m3;
    case SFT_F8_E4M3FNUZ:
        return &f8_e4m3fnuz;
    case SFT_F8_E5M2FNUZ:
        return &f8_e5m2fnuz;
    default:
        return NULL;
    }
}

unsigned values_per_element(sft_dtype dtype) {
    return dtype == SFT_C64 ? 2 : 1;
}

bool values_may_be_special(sft_dtype dtype) {
    switch (dtype) {
    case SFT_F8_E5M2:
    case SFT_F8_E4M3:
    case SFT_F8_E8M0:
    case SFT_F8_E4M3FNUZ:
    case SFT_F8_E5M2FNUZ:
    case SFT_F16:
    case SFT_BF16:
    case SFT_F32:
    case SFT_F64:
    case SFT_C64:
        return true;
    default:
        return false;
    }
}

/* The value of every pattern of a dtype of at most 8 bits; false for wider ones. */
static bool fill_table(sft_dtype dtype, double table[256]) {
    const struct small_float *form = small_form(dtype);
    uint32_t bits = sft_dtype_bits(dtype);
    if (bits > 8) {
        return false;
    }
    for (unsigned i = 0; i < 1U << bits; i++) {
        if (form != NULL) {
            table[i] = small_value(form, i);
        } else if (dtype == SFT_F8_E8M0) {
            table[i] = i == 255 ? (double)NAN : ldexp(1.0, (int)i - 127);
        } else {
            table[i] = dtype == SFT_I8 && i > 127 ? (double)i - 256.0 : (double)i;
        }
    }
    return true;
}

/* Elements of 4, 6 or 8 bits, packed from the lowest bit of the first byte on. */
static void decode_narrow(const double table[256], uint32_t bits, const unsigned char *bytes,
                          size_t count, double *values) {
    uint32_t waiting = 0;
    uint32_t waiting_bits = 0;
    for (size_t i = 0; i < count; i++) {
        if (waiting_bits < bits) {
            waiting |= (uint32_t)*bytes++ << waiting_bits;
            waiting_bits += 8;
        }
        values[i] = table[waiting & ((1U << bits) - 1)];
        waiting >>= bits;
        waiting_bits -= bits;
    }
}

static double wide_value(sft_dtype dtype, const unsigned char *bytes) {
    switch (dtype) {
    case SFT_I16:
        return (double)(int16_t)load16(bytes);
    case SFT_U16:
        return (double)load16(bytes);
    case SFT_F16:
        return small_value(&f16, load16(bytes));
    case SFT_BF16:
        return as_float(load16(bytes) << 16);
    case SFT_I32:
        return (double)(int32_t)load32(bytes);
    case SFT_U32:
        return (double)load32(bytes);
    case SFT_F32:
    case SFT_C64:
        return as_float(load32(bytes));
    case SFT_F64:
        return as_double(load64(bytes));
    case SFT_I64:
        return (double)(int64_t)load64(bytes);
    default:
        return (double)load64(bytes);
    }
}

void values_decode(sft_dtype dtype, const unsigned char *bytes, size_t count, double *values) {
    double table[256];
    if (fill_table(dtype, table)) {
        decode_narrow(table, sft_dtype_bits(dtype), bytes, count, values);
        return;
    }
    size_t parts = values_per_element(dtype);
    size_t size = sft_dtype_bits(dtype) / 8 / parts;
    for (size_t i = 0; i < count * parts; i++) {
        values[i] = wide_value(dtype, bytes + i * size);
    }
}

/* One element's bits against the highest exponent: cheaper than its value, and most are finite. */
struct pattern {
    uint64_t exponent; /* all of its bits set */
    uint64_t sign;
};

static bool ieee_pattern(sft_dtype dtype, struct pattern *pattern) {
    switch (dtype) {
    case SFT_F16:
        *pattern = (struct pattern){0x7C00, 0x8000};
        return true;
    case SFT_BF16:
        *pattern = (struct pattern){0x7F80, 0x8000};
        return true;
    case SFT_F32:
    case SFT_C64:
        *pattern = (struct pattern){0x7F800000, 0x80000000};
        return true;
    case SFT_F64:
        *pattern = (struct pattern){UINT64_C(0x7FF0000000000000), UINT64_C(0x8000000000000000)};
        return true;
    default:
        return false;
    }
}

static uint64_t load(const unsigned char *bytes, size_t size) {
    return size == 2 ? load16(bytes) : size == 4 ? load32(bytes) : load64(bytes);
}

/* Whether any of some values is special, in a loop without branches that compilers vectorise. */
static bool any_special(const struct pattern *pattern, const unsigned char *bytes, size_t size,
                        size_t count) {
    unsigned found = 0;
    if (size == 2) {
        for (size_t i = 0; i < count; i++) {
            found |= (load16(bytes + 2 * i) & pattern->exponent) == pattern->exponent;
        }
    } else if (size == 4) {
        for (size_t i = 0; i < count; i++) {
            found |= (load32(bytes + 4 * i) & pattern->exponent) == pattern->exponent;
        }
    } else {
        for (size_t i = 0; i < count; i++) {
            found |= (load64(bytes + 8 * i) & pattern->exponent) == pattern->exponent;
        }
    }
    return found != 0;
}

static void count_element(struct special *special, uint64_t number, bool nan, bool infinite) {
    if (!nan && !infinite) {
        return;
    }
    if (special->nan == 0 && special->infinite == 0) {
        special->first = number;
    }
    special->nan += nan;
    special->infinite += !nan;
}

static void count_wide(sft_dtype dtype, const struct pattern *pattern, const unsigned char *bytes,
                       size_t count, uint64_t from, struct special *special) {
    size_t parts = values_per_element(dtype);
    size_t size = sft_dtype_bits(dtype) / 8 / parts;
    if (!any_special(pattern, bytes, size, count * parts)) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        bool nan = false;
        bool infinite = false;
        for (size_t part = 0; part < parts; part++) {
            uint64_t magnitude = load(bytes + (i * parts + part) * size, size) & ~pattern->sign;
            nan = nan || magnitude > pattern->exponent;
            infinite = infinite || magnitude == pattern->exponent;
        }
        count_element(special, from + i, nan, infinite);
    }
}

void values_count_special(sft_dtype dtype, const unsigned char *bytes, size_t count, uint64_t from,
                          struct special *special) {
    if (!values_may_be_special(dtype)) {
        return;
    }
    struct pattern pattern;
    if (ieee_pattern(dtype, &pattern)) {
        count_wide(dtype, &pattern, bytes, count, from, special);
        return;
    }
    double table[256];
    fill_table(dtype, table);
    for (size_t i = 0; i < count; i++) {
        double value = table[bytes[i]];
        count_element(special, from + i, isnan(value), isinf(value));
    }
}
