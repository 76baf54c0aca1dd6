#include "dtypes.h"

#include <string.h>

#include "errors.h"

/* In the order of sft_dtype. NumPy has no packed types: F4 and F6 are read as bytes or not at all.
 */
static const dtype_names names[SFT_DTYPES] = {
    [SFT_BOOL] = {"bool", "bool_", NULL, "bool"},
    [SFT_F4] = {"float4_e2m1fn_x2", NULL, NULL, "float4_e2m1fn_x2"},
    [SFT_F6_E2M3] = {NULL, NULL, NULL, NULL},
    [SFT_F6_E3M2] = {NULL, NULL, NULL, NULL},
    [SFT_U8] = {"uint8", "uint8", NULL, "uint8"},
    [SFT_I8] = {"int8", "int8", NULL, "int8"},
    [SFT_F8_E5M2] = {"float8_e5m2", NULL, "float8_e5m2", "float8_e5m2"},
    [SFT_F8_E4M3] = {"float8_e4m3fn", NULL, "float8_e4m3fn", "float8_e4m3fn"},
    [SFT_F8_E8M0] = {"float8_e8m0fnu", NULL, "float8_e8m0fnu", "float8_e8m0fnu"},
    [SFT_F8_E4M3FNUZ] = {"float8_e4m3fnuz", NULL, "float8_e4m3fnuz", "float8_e4m3fnuz"},
    [SFT_F8_E5M2FNUZ] = {"float8_e5m2fnuz", NULL, "float8_e5m2fnuz", "float8_e5m2fnuz"},
    [SFT_I16] = {"int16", "int16", NULL, "int16"},
    [SFT_U16] = {"uint16", "uint16", NULL, "uint16"},
    [SFT_F16] = {"float16", "float16", NULL, "float16"},
    [SFT_BF16] = {"bfloat16", NULL, "bfloat16", "bfloat16"},
    [SFT_I32] = {"int32", "int32", NULL, "int32"},
    [SFT_U32] = {"uint32", "uint32", NULL, "uint32"},
    [SFT_F32] = {"float32", "float32", NULL, "float32"},
    [SFT_C64] = {"complex64", "complex64", NULL, "complex64"},
    [SFT_F64] = {"float64", "float64", NULL, "float64"},
    [SFT_I64] = {"int64", "int64", NULL, "int64"},
    [SFT_U64] = {"uint64", "uint64", NULL, "uint64"},
};

const dtype_names *dtype_names_of(sft_dtype dtype) {
    return &names[dtype];
}

/* The Rust implementation's own order, for its message is what users search for. */
static const char supported[] =
    "bool, int8, uint8, int16, uint16, int32, uint32, int64, uint64, float16, float32, float64, "
    "bfloat16, float8_e4m3fn, float8_e4m3fnuz, float8_e5m2, float8_e5m2fnuz, float8_e8m0fnu, "
    "float4_e2m1fn_x2, complex64";

int dtype_from_python(module_state *state, const char *name, sft_dtype *dtype) {
    for (int i = 0; i < SFT_DTYPES; i++) {
        if (names[i].python != NULL && strcmp(names[i].python, name) == 0) {
            *dtype = (sft_dtype)i;
            return 0;
        }
    }
    raise_safetensor_error(state, "Unknown dtype \"%s\". Supported dtypes: %s", name, supported);
    return -1;
}

uint64_t dtype_packing(sft_dtype dtype) {
    return dtype == SFT_F4 ? 2 : 1;
}
