// Maps that are wrong in ways that others' were: what the traces in
// map_types_test.cc must show. Each is made of our types, misused.
#pragma once

#include <string>
#include <vector>

#include "crdt/crdt.h"
#include "tests/crdt/raw_leaves.h"

namespace syncline {

// A map of sets, of one name "m". As riak_dt before #93: removing a name hides what is under it; who
// brings the name back brings all of it back.
class NameHidingMap {
 public:
  OrMap add(const ActorId& actor, const std::string& element) {
    return *map_.update(actor, 1, [&](auto& map) {
      map.template at<OrSet<std::string>>("names").insert("m");
      map.template at<OrSet<std::string>>("m").insert(element);
    });
  }
  OrMap remove(const ActorId& actor) {
    return *map_.update(actor, 1, [](auto& map) { map.template at<OrSet<std::string>>("names").erase("m"); });
  }
  void merge(const OrMap& delta) { map_.merge(delta); }
  std::vector<std::string> elements() const {
    if (!map_.at<OrSet<std::string>>("names").contains("m")) return {};
    return map_.at<OrSet<std::string>>("m").elements();
  }

 private:
  OrMap map_;
};

// As maps whose children are known by the operation that made them: a name points to the last one made.
class PointingMap {
 public:
  OrMap create(const ActorId& actor, const std::string& child, const std::string& field) {
    return *map_.update(actor, 1, [&](auto& map) {
      map.template at<LwwRegister<std::string>>("name").set(child);
      map.template at<OrMap>(child).template at<LwwRegister<std::int64_t>>(field).set(1);
    });
  }
  void merge(const OrMap& delta) { map_.merge(delta); }
  std::vector<std::string> fields() const {
    std::vector<std::string> names;
    const auto child = map_.at<LwwRegister<std::string>>("name").get();
    if (!child) return names;
    for (const auto& [name, type] : map_.at<OrMap>(*child).children()) names.push_back(name);
    return names;
  }

 private:
  OrMap map_;
};

}  // namespace syncline
