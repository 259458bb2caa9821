module Shop
  class Cart
    class Empty < StandardError; end
    def self.pay = new.pay
    def pay = raise(Empty)
  end
end
Shop::Cart.pay
