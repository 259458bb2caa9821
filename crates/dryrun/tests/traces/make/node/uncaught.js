function parse(text) {
  return JSON.parse(text);
}
parse("{nope");
