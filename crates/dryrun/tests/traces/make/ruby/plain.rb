def divide(a, b)
  a / b
end

def main
  [1].each { |n| divide(n, 0) }
end

main
