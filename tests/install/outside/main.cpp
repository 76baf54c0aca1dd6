// The same from C++.
#include <cstdio>
#include <memory>
#include <sft.h>

int main() {
    static const unsigned char bytes[] = "\x08\0\0\0\0\0\0\0{}      ";
    sft_file *handle = nullptr;
    sft_error error;
    if (sft_open_memory(bytes, 16, nullptr, &handle, &error) != SFT_OK) {
        std::fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    const std::unique_ptr<sft_file, decltype(&sft_close)> file(handle, sft_close);
    std::printf("%s %d\n", sft_version(), static_cast<int>(sft_count(file.get())));
    return 0;
}
