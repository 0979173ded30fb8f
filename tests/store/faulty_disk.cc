#include "tests/store/faulty_disk.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

namespace syncline {
namespace {

// Puts bytes into a file as a disk would: what lies between reads as zeros.
void put(std::string& file, std::size_t at, std::string_view bytes) {
  if (file.size() < at + bytes.size()) file.resize(at + bytes.size());
  std::copy(bytes.begin(), bytes.end(), file.begin() + static_cast<std::ptrdiff_t>(at));
}

}  // namespace

// The functions that SQLite calls.
struct FaultyDiskCalls {
  struct Handle {
    sqlite3_file base;
    FaultyDisk* disk;
    FaultyDisk::File* file;
  };

  static FaultyDisk& disk_of(sqlite3_vfs* vfs) { return *static_cast<FaultyDisk*>(vfs->pAppData); }
  static Handle& handle_of(sqlite3_file* file) { return *reinterpret_cast<Handle*>(file); }

  static int open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out_flags) {
    file->pMethods = nullptr;
    FaultyDisk& disk = disk_of(vfs);
    if (const int code = disk.enter(FileCall::open); code != SQLITE_OK) return code;
    const std::string path = name != nullptr ? name : "temporary";
    if ((flags & SQLITE_OPEN_CREATE) == 0 && !disk.files_.contains(path)) return SQLITE_CANTOPEN;
    Handle* const handle = new (file) Handle{};
    handle->base.pMethods = &methods;
    handle->disk = &disk;
    handle->file = &disk.files_[path];
    if (out_flags != nullptr) *out_flags = flags;
    return SQLITE_OK;
  }
  static int remove(sqlite3_vfs* vfs, const char* name, int) {
    FaultyDisk& disk = disk_of(vfs);
    if (const int code = disk.enter(FileCall::remove); code != SQLITE_OK) return code;
    return disk.files_.erase(name) > 0 ? SQLITE_OK : SQLITE_IOERR_DELETE_NOENT;
  }
  static int access(sqlite3_vfs* vfs, const char* name, int, int* out) {
    *out = disk_of(vfs).files_.contains(name) ? 1 : 0;
    return SQLITE_OK;
  }
  static int full_name(sqlite3_vfs*, const char* name, int size, char* out) {
    sqlite3_snprintf(size, out, "%s", name);
    return SQLITE_OK;
  }
  // The same numbers in each run.
  static int randomness(sqlite3_vfs*, int size, char* out) {
    for (int i = 0; i < size; ++i) out[i] = static_cast<char>(i * 37 + 11);
    return size;
  }
  static int wait(sqlite3_vfs*, int micros) { return micros; }
  static int now(sqlite3_vfs*, double* days) {
    *days = 2'460'000.5;
    return SQLITE_OK;
  }

  static int close(sqlite3_file*) { return SQLITE_OK; }
  static int read(sqlite3_file* file, void* out, int size, sqlite3_int64 offset) {
    Handle& handle = handle_of(file);
    if (const int code = handle.disk->enter(FileCall::read); code != SQLITE_OK) return code;
    const std::string& bytes = handle.file->now;
    const auto at = std::min(static_cast<std::size_t>(offset), bytes.size());
    const auto wanted = static_cast<std::size_t>(size);
    const auto got = std::min(wanted, bytes.size() - at);
    std::memcpy(out, bytes.data() + at, got);
    std::memset(static_cast<char*>(out) + got, 0, wanted - got);
    return got == wanted ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
  }
  static int write(sqlite3_file* file, const void* data, int size, sqlite3_int64 offset) {
    Handle& handle = handle_of(file);
    const int code = handle.disk->enter(FileCall::write);
    std::string_view bytes(static_cast<const char*>(data), static_cast<std::size_t>(size));
    if (code != SQLITE_OK) {
      if (!std::exchange(handle.disk->short_, false)) return code;
      bytes = bytes.substr(0, bytes.size() / 2);
    }
    const auto at = static_cast<std::size_t>(offset);
    put(handle.file->now, at, bytes);
    handle.file->since.push_back({at, std::string(bytes), false});
    return code;
  }
  static int truncate(sqlite3_file* file, sqlite3_int64 size) {
    Handle& handle = handle_of(file);
    if (const int code = handle.disk->enter(FileCall::truncate); code != SQLITE_OK) return code;
    handle.file->now.resize(static_cast<std::size_t>(size));
    handle.file->since.push_back({static_cast<std::size_t>(size), {}, true});
    return SQLITE_OK;
  }
  static int sync(sqlite3_file* file, int) {
    Handle& handle = handle_of(file);
    if (const int code = handle.disk->enter(FileCall::sync); code != SQLITE_OK) return code;
    handle.file->synced = handle.file->now;
    handle.file->since.clear();
    return SQLITE_OK;
  }
  static int size(sqlite3_file* file, sqlite3_int64* out) {
    Handle& handle = handle_of(file);
    if (const int code = handle.disk->enter(FileCall::size); code != SQLITE_OK) return code;
    *out = static_cast<sqlite3_int64>(handle.file->now.size());
    return SQLITE_OK;
  }
  static int lock(sqlite3_file* file, int) { return handle_of(file).disk->enter(FileCall::lock); }
  static int unlock(sqlite3_file*, int) { return SQLITE_OK; }
  static int is_reserved(sqlite3_file*, int* out) {
    *out = 0;
    return SQLITE_OK;
  }
  static int control(sqlite3_file*, int, void*) { return SQLITE_NOTFOUND; }
  static int sector(sqlite3_file*) { return 4'096; }
  static int traits(sqlite3_file*) { return SQLITE_IOCAP_POWERSAFE_OVERWRITE; }

  static const sqlite3_io_methods methods;
};

const sqlite3_io_methods FaultyDiskCalls::methods = {
    .iVersion = 1,
    .xClose = close,
    .xRead = read,
    .xWrite = write,
    .xTruncate = truncate,
    .xSync = sync,
    .xFileSize = size,
    .xLock = lock,
    .xUnlock = unlock,
    .xCheckReservedLock = is_reserved,
    .xFileControl = control,
    .xSectorSize = sector,
    .xDeviceCharacteristics = traits,
    .xShmMap = nullptr,
    .xShmLock = nullptr,
    .xShmBarrier = nullptr,
    .xShmUnmap = nullptr,
    .xFetch = nullptr,
    .xUnfetch = nullptr,
};

FaultyDisk::FaultyDisk() {
  static int made = 0;
  name_ = "faulty-" + std::to_string(++made);
  vfs_.iVersion = 1;
  vfs_.szOsFile = sizeof(FaultyDiskCalls::Handle);
  vfs_.mxPathname = 512;
  vfs_.zName = name_.c_str();
  vfs_.pAppData = this;
  vfs_.xOpen = FaultyDiskCalls::open;
  vfs_.xDelete = FaultyDiskCalls::remove;
  vfs_.xAccess = FaultyDiskCalls::access;
  vfs_.xFullPathname = FaultyDiskCalls::full_name;
  vfs_.xRandomness = FaultyDiskCalls::randomness;
  vfs_.xSleep = FaultyDiskCalls::wait;
  vfs_.xCurrentTime = FaultyDiskCalls::now;
  sqlite3_vfs_register(&vfs_, 0);
}

FaultyDisk::~FaultyDisk() { sqlite3_vfs_unregister(&vfs_); }

void FaultyDisk::set(const Image& image) {
  files_.clear();
  for (const auto& [name, bytes] : image) files_[name] = {bytes, bytes, {}};
  calls_ = fail_at_ = 0;
  crashed_ = failed_ = false;
}

FaultyDisk::Image FaultyDisk::files() const {
  Image image;
  for (const auto& [name, file] : files_) image[name] = file.now;
  return image;
}

void FaultyDisk::fail(std::size_t number, Fault fault, bool sticky) {
  fail_at_ = number;
  fault_ = fault;
  sticky_ = sticky;
}

int FaultyDisk::enter(FileCall call) {
  static constexpr int codes[] = {SQLITE_CANTOPEN,    SQLITE_IOERR_DELETE,   SQLITE_IOERR_READ,
                                  SQLITE_IOERR_WRITE, SQLITE_IOERR_TRUNCATE, SQLITE_IOERR_FSYNC,
                                  SQLITE_IOERR_FSTAT, SQLITE_IOERR_LOCK};
  ++calls_;
  const int code = codes[static_cast<int>(call)];
  if (crashed_) return code;
  const bool now = fail_at_ != 0 && (calls_ == fail_at_ || (sticky_ && calls_ > fail_at_));
  const bool room = fault_ == Fault::full || fault_ == Fault::short_write;
  if (!now || (room && call != FileCall::write)) return SQLITE_OK;
  failed_ = true;
  crashed_ = fault_ == Fault::crash;
  short_ = fault_ == Fault::short_write;
  return room ? SQLITE_FULL : code;
}

FaultyDisk::Image FaultyDisk::after_power_cut(Damage damage, Random& random) const {
  Image image;
  for (const auto& [name, file] : files_) {
    std::vector<Write> writes;
    const std::size_t sector = damage == Damage::torn_pages ? 4'096 : 512;
    for (const Write& write : file.since) {
      const bool tear = damage == Damage::torn || damage == Damage::torn_pages || damage == Damage::garbage;
      if (!tear || write.truncate) {
        writes.push_back(write);
        continue;
      }
      // Sectors lie where they lie in the file.
      for (std::size_t at = 0; at < write.bytes.size();) {
        const std::size_t end = std::min(write.bytes.size(), at + sector - (write.at + at) % sector);
        writes.push_back({write.at + at, write.bytes.substr(at, end - at), false});
        at = end;
      }
    }
    if (damage == Damage::dropped) writes.clear();
    if (damage == Damage::cut) writes.resize(random.below(writes.size() + 1));
    if (damage == Damage::shuffled)
      for (std::size_t i = writes.size(); i > 1; --i) std::swap(writes[i - 1], writes[random.below(i)]);
    std::string bytes = file.synced;
    for (Write& write : writes) {
      const bool partly = damage != Damage::none && damage != Damage::cut;
      const bool arrives = !partly || random.chance(1, 2);
      if (!arrives && damage == Damage::garbage && random.chance(1, 4)) {
        for (char& byte : write.bytes) byte = static_cast<char>(random.next());
      } else if (!arrives) {
        continue;
      }
      if (write.truncate) {
        bytes.resize(write.at);
      } else {
        put(bytes, write.at, write.bytes);
      }
    }
    image[name] = std::move(bytes);
  }
  return image;
}

}  // namespace syncline
