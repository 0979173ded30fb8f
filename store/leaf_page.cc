#include "store/leaf_page.h"

#include <algorithm>
#include <tuple>

namespace syncline {
namespace {

constexpr std::uint8_t lowest_level = 0x0a;
constexpr std::size_t head_bytes = 8;

std::size_t number16(std::string_view page, std::size_t at) {
  return static_cast<std::size_t>(static_cast<std::uint8_t>(page[at])) << 8 |
         static_cast<std::uint8_t>(page[at + 1]);
}

// Takes numbers and bytes off a record; false once something was cut short.
class RecordReader {
 public:
  explicit RecordReader(std::string_view bytes) : bytes_(bytes) {}

  bool varint(std::uint64_t& number) {
    number = 0;
    for (int i = 0; i < 9; ++i) {
      if (bytes_.empty()) return false;
      const auto byte = static_cast<std::uint8_t>(bytes_.front());
      bytes_.remove_prefix(1);
      number = i == 8 ? number << 8 | byte : number << 7 | (byte & 0x7fU);
      if (i < 8 && byte < 0x80) return true;
    }
    return true;
  }
  // A column of that serial type, which must be an integer's.
  bool integer(std::uint64_t type, std::int64_t& number) {
    constexpr std::size_t sizes[] = {0, 1, 2, 3, 4, 6, 8};
    number = type == 9 ? 1 : 0;
    if (type == 8 || type == 9) return true;
    if (type == 0 || type > 6 || bytes_.size() < sizes[type]) return false;
    auto bits = (static_cast<std::uint8_t>(bytes_.front()) & 0x80) != 0 ? ~std::uint64_t{0} : 0;
    for (std::size_t i = 0; i < sizes[type]; ++i) bits = bits << 8 | static_cast<std::uint8_t>(bytes_[i]);
    number = static_cast<std::int64_t>(bits);
    bytes_.remove_prefix(sizes[type]);
    return true;
  }
  // One that must be a blob's.
  bool blob(std::uint64_t type, std::string_view& bytes) {
    if (type < 12 || type % 2 != 0 || (type - 12) / 2 > bytes_.size()) return false;
    bytes = bytes_.substr(0, static_cast<std::size_t>((type - 12) / 2));
    bytes_.remove_prefix(bytes.size());
    return true;
  }
  std::string_view take(std::size_t size) {
    const std::string_view taken = bytes_.substr(0, size);
    bytes_.remove_prefix(taken.size());
    return taken;
  }
  std::size_t left() const { return bytes_.size(); }

 private:
  std::string_view bytes_;
};

// Of a record of so many bytes, what lies on the page; the rest is on others.
std::size_t local_bytes(std::size_t size, std::size_t usable) {
  const std::size_t most = (usable - 12) * 64 / 255 - 23;
  if (size <= most) return size;
  const std::size_t least = (usable - 12) * 32 / 255 - 23;
  const std::size_t some = least + (size - least) % (usable - 4);
  return some <= most ? some : least;
}

bool read_record(std::string_view local, bool whole, StoredLeaf& leaf) {
  RecordReader body(local);
  std::uint64_t head_size = 0;
  if (!body.varint(head_size)) return false;
  const std::size_t taken = local.size() - body.left();
  if (head_size < taken || head_size - taken > body.left()) return false;
  RecordReader head(body.take(static_cast<std::size_t>(head_size) - taken));
  std::uint64_t types[4];
  for (std::uint64_t& type : types)
    if (!head.varint(type)) return false;
  if (head.left() != 0 || !body.integer(types[0], leaf.keyspace) || !body.blob(types[1], leaf.leaf))
    return false;
  leaf.whole = whole;
  return !whole ||
         (body.blob(types[2], leaf.value) && body.integer(types[3], leaf.checksum) && body.left() == 0);
}

// Which bytes of a page are spoken for.
class Account {
 public:
  explicit Account(std::size_t usable) : taken_(usable) {}
  // Whether all of these were free.
  bool take(std::size_t at, std::size_t size) {
    if (at > taken_.size() || size > taken_.size() - at) return false;
    for (std::size_t i = at; i < at + size; ++i) {
      if (taken_[i]) return false;
      taken_[i] = true;
    }
    total_ += size;
    return true;
  }
  std::size_t total() const { return total_; }

 private:
  std::vector<bool> taken_;
  std::size_t total_ = 0;
};

bool read_cell(std::string_view page, std::size_t usable, std::size_t at, Account& account,
               StoredLeaf& leaf) {
  if (at >= usable) return false;
  RecordReader cell(page.substr(at, usable - at));
  std::uint64_t size = 0;
  if (!cell.varint(size) || size > std::uint64_t{1} << 31) return false;
  const std::size_t head = usable - at - cell.left();
  const std::size_t local = local_bytes(static_cast<std::size_t>(size), usable);
  const bool whole = local == size;
  if (local > cell.left()) return false;
  const std::size_t all = head + local + (whole ? 0 : 4);
  return account.take(at, std::max<std::size_t>(all, 4)) && read_record(cell.take(local), whole, leaf);
}

bool take_free_blocks(std::string_view page, std::size_t usable, Account& account) {
  std::size_t last = 0;
  for (std::size_t at = number16(page, 1); at != 0; at = number16(page, at)) {
    if (at <= last || at + 4 > usable || !account.take(at, number16(page, at + 2))) return false;
    last = at;
  }
  return true;
}

}  // namespace

std::optional<std::vector<StoredLeaf>> leaves_on_page(std::string_view page, std::size_t usable) {
  if (usable < 512 || page.size() < usable || static_cast<std::uint8_t>(page[0]) != lowest_level)
    return std::nullopt;
  const std::size_t count = number16(page, 3);
  const std::size_t content = number16(page, 5);
  const std::size_t pointers_end = head_bytes + 2 * count;
  if (pointers_end > content || content > usable) return std::nullopt;
  Account account(usable);
  account.take(0, content);
  std::vector<StoredLeaf> leaves(count);
  for (std::size_t i = 0; i < count; ++i) {
    if (!read_cell(page, usable, number16(page, head_bytes + 2 * i), account, leaves[i])) return std::nullopt;
    const auto place = [&](std::size_t n) { return std::tie(leaves[n].keyspace, leaves[n].leaf); };
    if (i > 0 && !(place(i - 1) < place(i))) return std::nullopt;
  }
  const auto fragments = static_cast<std::uint8_t>(page[7]);
  if (!take_free_blocks(page, usable, account) || account.total() + fragments != usable) return std::nullopt;
  return leaves;
}

}  // namespace syncline
