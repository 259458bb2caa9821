// Beats three times, then ends by an unhandled exception that has an inner one.
using System;
using System.Collections.Generic;
using System.Threading.Tasks;

class OrderRejected : Exception
{
    public OrderRejected(string message, Exception inner) : base(message, inner) { }
}

static class Uncaught
{
    static int Price(Dictionary<string, int> order)
    {
        return order["limit"] * order["quantity"];
    }

    static async Task<int> Submit(int id, Dictionary<string, int> order)
    {
        await Task.Yield();
        try
        {
            return Price(order);
        }
        catch (KeyNotFoundException e)
        {
            throw new OrderRejected("order " + id + " cannot be priced", e);
        }
    }

    static void Main()
    {
        for (var seq = 1; seq <= 3; seq++)
        {
            Console.WriteLine("{\"timestamp\":\"" + DateTime.UtcNow.ToString("o") + "\",\"level\":\"info\",\"event\":\"heartbeat\",\"message\":\"heartbeat #" + seq + "\",\"seq\":" + seq + "}");
        }
        Submit(42, new Dictionary<string, int> { { "quantity", 2 } }).GetAwaiter().GetResult();
    }
}
