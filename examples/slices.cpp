// Reads part of a tensor, from C++: slices FILE NAME SLICE prints the bytes of a slice.
//
// The library is plain C; what C++ adds is a handle that closes itself and an exception.
#include <cstdio>
#include <cstring>
#include <memory>
#include <sft.h>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

class Failure : public std::runtime_error {
  public:
    explicit Failure(const sft_error &error) : std::runtime_error(line(error)) {
    }

  private:
    static std::string line(const sft_error &error) {
        char text[2048];
        sft_error_format(&error, text, sizeof text);
        return text;
    }
};

struct Close {
    void operator()(sft_file *file) const {
        sft_close(file);
    }
};
using File = std::unique_ptr<sft_file, Close>;

File open(const char *path) {
    sft_file *file = nullptr;
    sft_error error;
    if (sft_open(path, nullptr, &file, &error) != SFT_OK) {
        throw Failure(error);
    }
    return File(file);
}

struct Part {
    std::vector<uint64_t> shape;
    std::vector<unsigned char> bytes;
};

Part read(const File &file, const sft_tensor *tensor, const char *slice) {
    std::vector<sft_range> ranges(tensor->rank);
    uint32_t count = 0;
    uint32_t rank = 0;
    uint64_t size = 0;
    Part part;
    part.shape.resize(tensor->rank);
    sft_error error;
    if (sft_slice_parse(slice, std::strlen(slice), tensor->rank, ranges.data(), &count, &error) !=
            SFT_OK ||
        sft_slice_shape(tensor, ranges.data(), count, part.shape.data(), &rank, &size, &error) !=
            SFT_OK) {
        throw Failure(error);
    }
    part.shape.resize(rank);
    part.bytes.resize(size);
    if (sft_read_slice(file.get(), tensor, ranges.data(), count, part.bytes.data(), size, &error) !=
        SFT_OK) {
        throw Failure(error);
    }
    return part;
}

void print(const sft_tensor *tensor, const Part &part) {
    std::printf("%s [", sft_dtype_name(tensor->dtype));
    for (size_t d = 0; d < part.shape.size(); d++) {
        std::printf("%s%llu", d == 0 ? "" : ", ", static_cast<unsigned long long>(part.shape[d]));
    }
    std::printf("]");
    for (const unsigned char byte : part.bytes) {
        std::printf(" %02x", byte);
    }
    std::printf("\n");
}

} // namespace

int main(int argc, char **argv) {
    if (argc != 4) {
        std::fprintf(stderr, "usage: slices FILE NAME SLICE\n");
        return 64;
    }
    try {
        const File file = open(argv[1]);
        const sft_tensor *tensor = sft_find(file.get(), argv[2], std::strlen(argv[2]));
        if (tensor == nullptr) {
            throw std::runtime_error(std::string(argv[1]) + ": no tensor is called " + argv[2]);
        }
        print(tensor, read(file, tensor, argv[3]));
    } catch (const std::exception &failure) {
        std::fprintf(stderr, "slices: %s\n", failure.what());
        return 1;
    }
    return 0;
}
